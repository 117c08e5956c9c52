package verify

import (
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/mapping"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
)

// ofWorkflow is the prefix of workflow fields.
const ofWorkflow = "applicantworkflow."

// The fields needed by every read-back.
const (
	fieldEmail  = "email"
	fieldFolder = "folder"
	fieldStatus = "status"
)

// readBack is the test candidate as stored in iCIMS, and its missing fields.
type readBack struct {
	person  *icims.Person
	flow    *icims.Workflow
	missing []string
}

// stored reads the test candidate and compares it field by field with what was sent. Missing fields
// are sent once more: an update of an existing test candidate does not send all fields.
func (x *run) stored(ctx context.Context) verdict {
	candidate := tasks.TestCandidate(x.Ledger().Keys(), x.Conn, x.DummyDomain())
	person, flow, _ := mapping.Preview(candidate, x.Conn, x.report.Job, x.DummyDomain())
	if x.report.Workflow == 0 {
		flow = nil
	}
	back, refusal := x.read(ctx, person, flow)
	if refusal != nil {
		return x.part(refusal, "read the test candidate", Failed, CodeRightMissing)
	}
	x.statusLater = x.statusLater || x.made && slices.Contains(back.missing, ofWorkflow+fieldStatus)
	if len(back.missing) > 0 {
		if refusal = x.sendAgain(ctx, person, flow, back.missing); refusal == nil {
			back, refusal = x.read(ctx, person, flow)
		}
		if refusal != nil {
			return x.part(refusal, "change the test candidate", Failed, CodeRightMissing)
		}
	}
	return x.judgeStored(back, len(person)+len(flow))
}

func (x *run) judgeStored(back readBack, sent int) verdict {
	x.back = back
	x.profile.SeesFolder = store.AnswerOf(!back.person.Folder.IsZero())
	if back.flow != nil {
		kept := !slices.Contains(back.missing, ofWorkflow+fieldStatus) && !x.statusRefused
		x.profile.KeepsStatus, x.profile.StatusID = store.AnswerOf(kept), ""
		switch {
		case x.statusLater && kept:
			x.profile.StatusLater = store.Yes
		case x.made: // an existing workflow does not show it
			x.profile.StatusLater = ""
		}
		if kept && x.Conn.Status.ID == "" {
			x.profile.StatusID = back.flow.Status.ID
		}
	}
	missing := slices.DeleteFunc(slices.Clone(back.missing), func(name string) bool { return name == fieldFolder })
	x.profile.Missing = strings.Join(missing, ",")
	switch {
	case slices.Contains(missing, fieldEmail):
		return failed(CodeEmailHidden, nil)
	case len(missing) > 0:
		return warned(CodeNotStored, "Missing when the test candidate was read back: "+strings.Join(missing, ", ")+".")
	}
	return ok("all of %s", counted(sent, "field"))
}

// read reads person and workflow.
func (x *run) read(ctx context.Context, person, flow icims.Fields) (readBack, *icims.Error) {
	var back readBack
	names := slices.Sorted(maps.Keys(person))
	refusal := called(ctx, func() (err error) {
		back.person, _, err = x.client.Person(ctx, icims.PersonID(x.report.Person), names...)
		return err
	})
	if refusal != nil {
		return back, refusal
	}
	back.missing = missingOf(person, back.person.Raw, "")
	if flow == nil {
		return back, nil
	}
	refusal = called(ctx, func() (err error) {
		back.flow, _, err = x.client.Workflow(ctx, icims.WorkflowID(x.report.Workflow), "status", "source")
		return err
	})
	if refusal != nil {
		return back, refusal
	}
	sent := maps.Clone(flow)
	delete(sent, "baseprofile") // the link itself
	delete(sent, fieldStatus)
	back.missing = append(back.missing, missingOf(sent, back.flow.Raw, ofWorkflow)...)
	if !x.statusRefused && !isStatus(back.flow.Status, x.Conn.WithDefaults().Status) {
		back.missing = append(back.missing, ofWorkflow+fieldStatus)
	}
	return back, nil
}

// isStatus reports whether a workflow has the connection's status.
func isStatus(has *icims.ListNode, want store.NodeRef) bool {
	if want.ID != "" {
		return has != nil && strings.EqualFold(has.ID, want.ID)
	}
	return has.Matches(want.Value)
}

// sendAgain sends the missing fields. Fields that iCIMS refuses stay missing.
func (x *run) sendAgain(ctx context.Context, person, flow icims.Fields, missing []string) *icims.Error {
	again, flowAgain := icims.Fields{}, icims.Fields{}
	for _, name := range missing {
		if local, ofFlow := strings.CutPrefix(name, ofWorkflow); ofFlow {
			flowAgain[local] = flow[local]
			continue
		}
		name, _, _ = strings.Cut(name, ".")
		again[name] = person[name]
	}
	var calls []func() error
	if len(again) > 0 {
		calls = append(calls, func() error {
			_, err := x.client.PatchPerson(ctx, icims.PersonID(x.report.Person), again)
			return err
		})
	}
	if len(flowAgain) > 0 {
		calls = append(calls, func() error {
			_, err := x.client.PatchWorkflow(ctx, icims.WorkflowID(x.report.Workflow), flowAgain)
			return err
		})
	}
	for _, call := range calls {
		if refusal := called(ctx, call); refusal != nil && fault(refusal) != "" {
			return refusal
		}
	}
	return nil
}

// missingOf returns the names of sent fields that are not stored, sorted. A child of a collection
// is missing if no entry has it. A value in another notation is not missing.
func missingOf(sent icims.Fields, raw map[string]json.RawMessage, prefix string) []string {
	var missing []string
	for _, name := range slices.Sorted(maps.Keys(sent)) {
		entries, isCollection := sent[name].([]icims.Fields)
		switch {
		case empty(raw[name]):
			missing = append(missing, prefix+name)
		case isCollection:
			for _, child := range childrenMissing(entries, raw[name]) {
				missing = append(missing, prefix+name+"."+child)
			}
		}
	}
	return missing
}

func childrenMissing(sent []icims.Fields, raw json.RawMessage) []string {
	var entries []map[string]json.RawMessage
	if json.Unmarshal(raw, &entries) != nil {
		return nil // stored, in an unknown form
	}
	missing := map[string]bool{}
	for _, entry := range sent {
		for child := range entry {
			there := func(e map[string]json.RawMessage) bool { return !empty(e[child]) }
			missing[child] = !slices.ContainsFunc(entries, there)
		}
	}
	maps.DeleteFunc(missing, func(_ string, is bool) bool { return !is })
	return slices.Sorted(maps.Keys(missing))
}

func empty(raw json.RawMessage) bool {
	switch strings.TrimSpace(string(raw)) {
	case "", "null", `""`, "[]", "{}":
		return true
	default:
		return false
	}
}
