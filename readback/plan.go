package readback

import (
	"context"

	"github.com/seekout/icims-export/store"
)

// DefaultSample is the default number of people in a read-back, MaxSample the maximum.
const (
	DefaultSample = 50
	MaxSample     = 500
)

// Plan is the sample of a read-back and its cost, before it is requested.
type Plan struct {
	Args

	People, Workflows int
	Calls             int // maximum
	// Left is how many calls it may make today, if Known.
	Left  int
	Known bool
}

// NewPlan draws a sample of a customer's exports.
func NewPlan(ctx context.Context, ledger *store.Ledger, conn store.Connection, sample int) (Plan, error) {
	records, err := ledger.Candidates.SampleSent(ctx, conn.Customer, sample)
	if err != nil {
		return Plan{}, err
	}
	caller := store.Caller{Credentials: ledger.Keys().CredentialsHash(conn), Limits: conn.Limits}
	standings, err := ledger.QuotaStatusesFor(ctx, []string{conn.Customer}, []store.Caller{caller})
	if err != nil {
		return Plan{}, err
	}
	p := Plan{Args: Args{records}, People: len(records), Calls: Calls(records)}
	p.Workflows = p.Calls - p.People
	p.Left, p.Known = CallsLeft(standings[0])
	return p, nil
}

// Short reports whether too few calls are left.
func (p Plan) Short() bool { return p.Known && p.Left < p.Calls }

// CallsLeft returns how many calls a read-back may make today, without those reserved for small
// batches. It is unknown before the customer's first call.
func CallsLeft(s store.QuotaStatus) (left int, known bool) {
	return max(s.Left-s.Reserve, 0), s.Budget > 0
}
