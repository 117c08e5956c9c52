package worker

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"time"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/readback"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/worker/control"
	"github.com/seekout/icims-export/worker/limiter"
)

// readBack reads a sample of exported people and workflows back, as a control task. It uses bulk
// permits, so that exports continue. It resumes a read-back that another worker started.
func (w *Worker) readBack(ctx context.Context, r *control.Run) (any, error) {
	var args readback.Args
	if err := json.Unmarshal(r.Args, &args); err != nil {
		return nil, errors.New("the arguments of the read-back are not readable")
	}
	report, err := readback.Read(r.ControlTask)
	if err != nil {
		return nil, err
	}
	client, err := r.Client()
	if err != nil {
		return nil, err
	}
	quota, err := w.quotaStatus(ctx, r.Conn)
	if err != nil {
		return nil, err
	}
	left := args.Records[min(report.Read, len(args.Records)):]
	if calls, known := readback.CallsLeft(quota); known && calls < readback.Calls(left) {
		report.Stop(store.Reason(icims.ReasonQuotaExhausted))
		return report, nil
	}
	reader := readback.Reader{
		Conn: r.Conn, Client: bulkReads{client}, Keys: w.ledger.Keys(),
		Tell: func(ctx context.Context, found readback.Findings) error { return r.Report(ctx, found) },
	}
	report, err = reader.Run(ctx, args.Records, report)
	if err == nil && report.Result == readback.ResultComplete {
		err = w.ledger.Candidates.SaveReadBack(ctx, r.Customer, report.Figures(time.Now()))
	}
	return report, err
}

// bulkReads reads with bulk permits.
type bulkReads struct{ *icims.Client }

func (c bulkReads) Person(ctx context.Context, id icims.PersonID, fields ...string) (*icims.Person, *icims.Response, error) {
	return c.Client.Person(limiter.AsBulk(ctx), id, fields...)
}

func (c bulkReads) Workflow(ctx context.Context, id icims.WorkflowID, fields ...string) (*icims.Workflow, *icims.Response, error) {
	return c.Client.Workflow(limiter.AsBulk(ctx), id, fields...)
}

// sentDigests returns digests of what this attempt sent, for a read-back. Only a sample of the
// exports has them: they take a tenth of an export's processor time.
func (l *lane) sentDigests(x *export) string {
	if !l.tenant.sample.Allow() {
		return ""
	}
	hash := func(f readback.Field, value string) string {
		return l.ledger.Keys().SentDigest(x.ref.Customer, x.ref.Export, string(f), value)
	}
	d := readback.Digest(l.conn, hash, false, x.sentPerson...)
	maps.Copy(d, readback.Digest(l.conn, hash, true, x.sentWorkflow...))
	return d.String()
}
