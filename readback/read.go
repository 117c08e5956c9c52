package readback

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store"
)

// Client is what a read-back needs of iCIMS.
type Client interface {
	Person(ctx context.Context, id icims.PersonID, fields ...string) (*icims.Person, *icims.Response, error)
	Workflow(ctx context.Context, id icims.WorkflowID, fields ...string) (*icims.Workflow, *icims.Response, error)
}

// Reader reads a sample back.
type Reader struct {
	Conn   store.Connection
	Client Client
	Keys   *store.Keyset
	// Tell is called after each record with what was found so far.
	Tell func(ctx context.Context, r Findings) error
}

// failuresTaken is how many calls in a row may fail until the rest is left.
const failuresTaken = 3

// Run reads the records that the report has not come to yet, and adds what it finds. It
// makes at most one call for each person and one for each workflow: none is repeated. A
// refusal that any other call would meet ends it, and is in the report. The error is that
// of Tell.
func (r *Reader) Run(ctx context.Context, records []store.SentRecord, report Findings) (Findings, error) {
	r.Conn = r.Conn.WithDefaults()
	report.Result = ResultRunning
	failures := 0
	for report.Read < len(records) {
		stopped := r.record(ctx, records[report.Read], &report, &failures)
		if ctx.Err() != nil {
			return report, context.Cause(ctx)
		}
		if stopped != "" {
			report.Stop(stopped)
			return report, nil
		}
		report.Read++
		if err := r.Tell(ctx, report); err != nil {
			return report, err
		}
	}
	report.Result = ResultComplete
	return report, nil
}

// record reads one person with the workflow. It returns why no more calls are to be
// made, if so.
func (r *Reader) record(ctx context.Context, s store.SentRecord, report *Findings, failures *int) store.Reason {
	sent := parseDigests(s.Digests)
	hash := func(export string) hashing {
		return func(f Field, value string) string {
			return r.Keys.SentDigest(r.Conn.Customer, export, string(f), value)
		}
	}
	var fields []string
	if len(sent) > 0 {
		fields = append(sent.names(r.Conn, false), "firstname", "email", "folder")
		slices.Sort(fields)
		fields = slices.Compact(fields)
	} else {
		report.PresenceOnly++
	}
	person, _, err := r.Client.Person(ctx, icims.PersonID(s.Person), fields...)
	state, stopped := judge(err, failures)
	if state == found && away(person) {
		state = gone
	}
	report.People.add(state, s.Person)
	if state == found {
		report.count(sent, r.Conn, false, person.Raw, hash(s.Export), hash(""), s.Person)
	}
	if stopped != "" || s.Workflow == 0 || ctx.Err() != nil {
		return stopped
	}
	if len(sent) > 0 {
		fields = sent.names(r.Conn, true)
	}
	workflow, _, err := r.Client.Workflow(ctx, icims.WorkflowID(s.Workflow), fields...)
	state, stopped = judge(err, failures)
	report.Workflows.add(state, s.Workflow)
	if state == found {
		report.count(sent, r.Conn, true, workflow.Raw, hash(s.Export), hash(""), s.Workflow)
	}
	return stopped
}

// away reports whether a person who can be read is on the way out: merged into another
// one, or in the folder of those who will be deleted.
func away(p *icims.Person) bool {
	_, merged := p.MergedInto()
	return merged || p.Purged()
}

// state is what a call told of a record.
type state int

const (
	found state = iota
	gone
	unread
)

// judge tells a record that is gone from a call that says nothing of it, and why no more
// calls are to be made, if so.
func judge(err error, failures *int) (state, store.Reason) {
	refusal, ok := errors.AsType[*icims.Error](err)
	switch {
	case err == nil:
		*failures = 0
		return found, ""
	case !ok:
		return unread, store.ReasonInternal
	case refusal.Reason == icims.ReasonNotFound, refusal.Reason == icims.ReasonAccessDenied && refusal.Status == 404:
		*failures = 0
		return gone, ""
	case refusal.Class == icims.ClassRetry, refusal.Class == icims.ClassPermanent:
		if *failures++; *failures < failuresTaken {
			return unread, ""
		}
	}
	return unread, store.Reason(refusal.Reason)
}

// count adds what became of the fields of a record that was read. own hashes values as the export
// did, common as for all exports of the customer.
func (r *Findings) count(sent Digests, conn store.Connection, ofWorkflow bool, shown map[string]json.RawMessage, own, common hashing, id int64) {
	for _, f := range Fields() {
		// A field that the connection has no name for any more cannot be looked at.
		if len(sent[f]) == 0 || f.ofWorkflow() != ofWorkflow || f.name(conn) == "" {
			continue
		}
		i := slices.IndexFunc(r.Fields, func(c FieldCount) bool { return c.Field == f })
		if i < 0 {
			i = len(r.Fields)
			r.Fields = append(r.Fields, FieldCount{Field: f})
		}
		value := shown[f.name(conn)]
		r.Fields[i].add(compare(f, conn, sent[f], value, own), single(f, conn, value, common), id)
	}
	slices.SortFunc(r.Fields, func(a, b FieldCount) int {
		return slices.Index(Fields(), a.Field) - slices.Index(Fields(), b.Field)
	})
}
