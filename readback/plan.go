package readback

import (
	"context"

	"github.com/seekout/icims-export/store"
)

// DefaultSample is how many people a read-back looks at, and MaxSample how many at most.
const (
	DefaultSample = 50
	MaxSample     = 500
)

// Plan is a read-back before it is asked for: its sample, and what it costs.
type Plan struct {
	Args

	People, Workflows int
	Calls             int // at most
	// Left is how many calls it may make today; Known tells whether that is known.
	Left  int
	Known bool
}

// NewPlan draws a sample of a customer's exports.
func NewPlan(ctx context.Context, ledger *store.Ledger, conn store.Connection, sample int) (Plan, error) {
	records, err := ledger.SampleSent(ctx, conn.Customer, sample)
	if err != nil {
		return Plan{}, err
	}
	caller := store.Caller{Credentials: ledger.Keys().CredentialsHash(conn), Limits: conn.Limits}
	standings, err := ledger.StandingsFor(ctx, []string{conn.Customer}, []store.Caller{caller})
	if err != nil {
		return Plan{}, err
	}
	p := Plan{Args: Args{records}, People: len(records), Calls: Calls(records)}
	p.Workflows = p.Calls - p.People
	p.Left, p.Known = CallsLeft(standings[0])
	return p, nil
}

// Short reports whether fewer calls are left than it takes.
func (p Plan) Short() bool { return p.Known && p.Left < p.Calls }

// CallsLeft is how many calls a read-back may make today: what is reserved for small
// batches is not for it. It is not known before the first call of all.
func CallsLeft(s store.Standing) (left int, known bool) {
	return max(s.Left-s.Reserve, 0), s.Budget > 0
}
