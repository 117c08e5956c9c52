package chaos_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
	"github.com/seekout/icims-export/tasks/input"
)

// mostShown limits how many findings of a kind a failed run prints.
const mostShown = 10

// findings collects errors by kind.
type findings struct {
	t    *testing.T
	seen map[string]int
}

func (f *findings) addf(kind, format string, args ...any) {
	f.t.Helper()
	f.seen[kind]++
	tell := f.t.Errorf
	if loseLastSecond {
		tell = f.t.Logf
	}
	switch n := f.seen[kind]; {
	case n <= mostShown:
		tell("%s: %s", kind, fmt.Sprintf(format, args...))
	case n == mostShown+1:
		tell("%s: and more", kind)
	}
}

// circumstances are what a comparison must allow for.
type circumstances struct {
	// forgetful are the customers of whom Redis may have lost acknowledged writes, such as who
	// created a person. That person is then found by email and reported as updated.
	forgetful []string
	// unfinished is how many exports were pending at the end. That fails the test; the ended
	// exports are compared anyway.
	unfinished int
}

// check compares what was sent with the ledger and with iCIMS.
func check(t *testing.T, r *rig, c crowd, receipts []tasks.Receipt, given circumstances) {
	t.Helper()
	f := &findings{t, map[string]int{}}
	if given.unfinished > 0 {
		f.addf("unfinished", "%d exports still move", given.unfinished)
	}
	for _, v := range r.sim.invariants().Violations() {
		f.addf("invariant", "%s", v)
	}
	for _, customer := range r.customers {
		iCIMS := newSight(r.sim, customer)
		made := 0
		if customer == presentIn {
			made = len(c.present)
		}
		for i, d := range c.deliveries {
			if d.customer == customer {
				made += checkBatch(f, r, iCIMS, d, receipts[i], given)
			}
		}
		if made != len(iCIMS.people) && !slices.Contains(given.forgetful, customer) && given.unfinished == 0 {
			f.addf("people", "customer %s: iCIMS has %d people, %d were there before or are reported as created", customer, len(iCIMS.people), made)
		}
		for name, ids := range iCIMS.byName {
			if len(ids) > 1 { // each candidate has a unique name
				f.addf("doubled", "%s has the profiles %v", name, ids)
			}
		}
		if given.unfinished == 0 {
			checkLedger(f, r, customer)
		}
	}
	r.audit(f)
}

// checkBatch checks one batch and returns how many people it reports as created.
func checkBatch(f *findings, r *rig, s *sight, d delivery, receipt tasks.Receipt, given circumstances) int {
	ctx := context.Background()
	b, err := r.ledger.Batches.Get(ctx, receipt.Batch)
	if err != nil {
		f.t.Fatal(err)
	}
	if receipt.Accepted+len(receipt.Refused) != len(d.rows) || b.Accepted != receipt.Accepted || len(receipt.Refused) > 0 {
		f.addf("counts", "%s: %d rows, receipt %d accepted and %d refused, batch %d", d.key, len(d.rows), receipt.Accepted, len(receipt.Refused), b.Accepted)
	}
	if given.unfinished == 0 && (b.Ended.IsZero() || b.Moving() != 0) || b.Dead > 0 {
		f.addf("end", "%s: %+v", d.key, b)
	}
	outcomes, err := r.ledger.Batches.Outcomes(ctx, receipt.Batch, 0, len(d.rows)+1)
	if err != nil {
		f.t.Fatal(err)
	}
	counted := map[store.Counter]int{}
	byCandidate := map[string]store.Outcome{}
	for _, o := range outcomes {
		counted[o.Counter]++
		byCandidate[o.Candidate] = o
	}
	want := map[store.Counter]int{store.CountCreated: b.Created, store.CountUpdated: b.Updated, store.CountSkipped: b.Skipped, store.CountDead: b.Dead}
	for counter, n := range want {
		if counted[counter] != n {
			f.addf("counts", "%s: %d %s by its count, %d by its outcomes", d.key, n, counter, counted[counter])
		}
	}
	missing := 0
	for _, row := range d.rows {
		o, ok := byCandidate[row.ID]
		switch {
		case !ok && given.unfinished > 0:
			missing++
		case !ok || o.State != store.Done && o.State != store.Skipped && o.State != store.Dead:
			f.addf("lost", "%s: candidate %s is %q", d.key, row.ID, o.State)
		case o.State == store.Dead:
			f.addf("dead", "%s: candidate %s, export %s: %s", d.key, row.ID, o.Export, o.Reason)
		case o.State == store.Done:
			s.checkDone(f, d, row, o)
		}
	}
	if missing > b.Moving() {
		f.addf("lost", "%s: %d candidates have no outcome, %d exports move", d.key, missing, b.Moving())
	}
	return b.Created
}

// checkLedger checks the remaining keys in Redis.
func checkLedger(f *findings, r *rig, customer string) {
	ctx := context.Background()
	if n, err := r.ledger.Recovery.IllegalMoves(ctx, customer); err != nil || n != 0 {
		f.addf("illegal", "%d illegal moves were asked for (%v)", n, err)
	}
	if n, err := r.ledger.Recovery.Live(ctx, customer); err != nil || n != 0 {
		f.addf("stuck", "%d exports are counted as pending (%v)", n, err)
	}
	for _, pattern := range []string{"x:*", "p:*", "l:*", "due"} {
		keys, err := keysOf(ctx, r.redis, "ix:{"+customer+"}:"+pattern)
		if err != nil || len(keys) > 0 {
			f.addf("stuck", "%d keys %s are left (%v), such as %v", len(keys), pattern, err, keys[:min(3, len(keys))])
		}
	}
}

// keysOf lists keys, in a cluster those on all masters.
func keysOf(ctx context.Context, client redis.UniversalClient, pattern string) (keys []string, err error) {
	cluster, ok := client.(*redis.ClusterClient)
	if !ok {
		return client.Keys(ctx, pattern).Result()
	}
	var mu sync.Mutex
	err = cluster.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
		found, err := node.Keys(ctx, pattern).Result()
		mu.Lock()
		defer mu.Unlock()
		keys = append(keys, found...)
		return err
	})
	return keys, err
}

// audit runs the program's consistency check.
func (r *rig) audit(f *findings) {
	if out, err := r.command("audit").CombinedOutput(); err != nil {
		f.addf("audit", "%v\n%s", err, out)
	}
}

// sight is the content of iCIMS.
type sight struct {
	people map[int64]person
	byName map[string][]int64
	pairs  map[[2]int64][]int64 // workflows by person and job
}

func newSight(s *simulator, customer string) *sight {
	v := &sight{people: map[int64]person{}, byName: map[string][]int64{}, pairs: map[[2]int64][]int64{}}
	for _, p := range s.people(customer) {
		v.people[p.ID] = p
		v.byName[p.Fields.LastName] = append(v.byName[p.Fields.LastName], p.ID)
	}
	for _, w := range s.workflows(customer) {
		pair := [2]int64{w.Person, w.Job}
		v.pairs[pair] = append(v.pairs[pair], w.ID)
	}
	return v
}

// checkDone checks that iCIMS contains what was reported as done.
func (s *sight) checkDone(f *findings, d delivery, row input.Candidate, o store.Outcome) {
	p, there := s.people[o.Person]
	if !there || row.Email != "" && !strings.EqualFold(p.Fields.Email, row.Email) {
		f.addf("lost", "%s: candidate %s is said to be person %d (there: %t)", d.key, row.ID, o.Person, there)
		return
	}
	if d.job == 0 {
		return
	}
	if !slices.Contains(s.pairs[[2]int64{o.Person, d.job}], o.Workflow) {
		f.addf("lost", "%s: candidate %s is said to have workflow %d", d.key, row.ID, o.Workflow)
	}
}
