package readback

import (
	"context"
	"encoding/json"
	"errors"
	"slices"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store"
)

// Client is the part of the iCIMS client that a read-back uses.
type Client interface {
	Person(ctx context.Context, id icims.PersonID, fields ...string) (*icims.Person, *icims.Response, error)
	Workflow(ctx context.Context, id icims.WorkflowID, fields ...string) (*icims.Workflow, *icims.Response, error)
}

// Reader reads a sample back.
type Reader struct {
	Conn   store.Connection
	Client Client
	Keys   *store.Keyset
	// Tell is called after each record with the findings so far.
	Tell func(ctx context.Context, r Findings) error
}

// failuresTaken is how many calls in a row may fail before the rest is skipped.
const failuresTaken = 3

// Run reads the records that the report does not cover yet and adds the findings. It makes at most
// one call per person and one per workflow, without retries. A refusal that would affect every call
// ends it and is recorded in the report. It returns the error of Tell.
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

// record reads one person and the workflow. It returns why no more calls may be made, or "".
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

// away reports whether a readable person is merged into another one or about to be deleted.
func away(p *icims.Person) bool {
	_, merged := p.MergedInto()
	return merged || p.Purged()
}

// state is what a call says about a record.
type state int

const (
	found state = iota
	gone
	unread
)

// judge distinguishes a deleted record from a call that says nothing about it. It also returns why
// no more calls may be made, or "".
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

// count adds the results for the fields of a record that was read. own hashes values as the export
// did, common as for all exports of the customer.
func (r *Findings) count(sent Digests, conn store.Connection, ofWorkflow bool, shown map[string]json.RawMessage, own, common hashing, id int64) {
	for _, f := range Fields() {
		// A field without a name in the connection cannot be read.
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
