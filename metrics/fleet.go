package metrics

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seekout/icims-export/internal/panics"
	"github.com/seekout/icims-export/operate"
	"github.com/seekout/icims-export/store"
)

const (
	// fleetEvery is the least time between two readings of the fleet, and fleetLimit the
	// most that one may take. Prometheus waits ten seconds for its answer.
	fleetEvery = 10 * time.Second
	fleetLimit = 4 * time.Second
	// fleetOld is after how long without a reading nothing is shown.
	fleetOld = 5 * time.Minute
	// placeCommands is what it takes to see how one customer with work stands, and
	// fleetCommands how many commands a second readings may come to in the long run.
	placeCommands = 17
	fleetCommands = 1000
	// scanStep is how many customers' dead letters are counted at each reading: with
	// it a thousand idle customers cost some commands a second.
	scanStep  = 30
	placePage = 250
	apart     = 16
)

// Fleet shows what is the same seen from every process: queues, budgets, dead letters
// and audits of all customers. It reads when it is asked, and only in the process that
// leads. Customers without work cost next to nothing: their dead letters are counted,
// and their counters audited, some at a time.
type Fleet struct {
	desk      *operate.Desk
	leads     func() bool
	customers bool
	now       func() time.Time

	mu       sync.Mutex
	read, at time.Time // when it was last begun, and when it last succeeded
	seen     census
	failed   int
	audits   int
	scan     scan
}

// census is what one reading saw.
type census struct {
	busy    []string
	places  map[string]operate.Place // of those of the busy that could be read
	workers int
	loss    store.Loss
}

// scan is how far the reading of all customers has come, and what it found.
type scan struct {
	all        []string
	at, busyAt int
	dead       map[string]int64
	violations map[string]map[string]int // by customer and kind
	readBacks  map[string]store.ReadBack // of those that had one
}

// NewFleet returns a collector for the fleet's metrics; leads tells whether this
// process is to show them. byCustomer adds those of each customer with work.
func NewFleet(desk *operate.Desk, leads func() bool, byCustomer bool) *Fleet {
	return &Fleet{
		desk: desk, leads: leads, customers: byCustomer, now: time.Now,
		scan: scan{dead: map[string]int64{}, violations: map[string]map[string]int{}, readBacks: map[string]store.ReadBack{}},
	}
}

var fleetMetrics = []*Metric{
	laneDepth, laneOldest, customers, customersHeld, budget, budgetLeft, budgetRatio, deadLetters, auditViolations, auditsTotal,
	workers, redisLoss, fieldsLost, fleetRead, fleetReadsFailed,
}

var customerMetrics = []*Metric{customerDepth, customerOldest, customerState, customerBudget, customerLeft, customerFieldShare, customerFieldEarlier, customerReadBack}

// Describe names what it shows.
func (f *Fleet) Describe(out chan<- *prometheus.Desc) {
	describe(out, fleetMetrics)
	if f.customers {
		describe(out, customerMetrics)
	}
}

// Collect shows the fleet as it was read last, and reads it first where that is due.
func (f *Fleet) Collect(out chan<- prometheus.Metric) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.leads() {
		return
	}
	if now := f.now(); now.Sub(f.read) >= f.pause() {
		f.read = now
		ctx, cancel := context.WithTimeout(context.Background(), fleetLimit)
		defer cancel()
		if err := f.look(ctx); err != nil {
			f.failed++
		} else {
			f.at = now
		}
	}
	show := showing(out)
	show(fleetReadsFailed, float64(f.failed))
	if f.now().Sub(f.at) > fleetOld {
		return
	}
	show(fleetRead, float64(f.at.UnixMilli())/1000)
	f.show(show)
	if f.customers {
		f.showCustomers(show)
	}
}

// pause is how long a reading is good for: longer where there is much to read.
func (f *Fleet) pause() time.Duration {
	return max(fleetEvery, time.Duration(len(f.seen.busy)*placeCommands)*time.Second/fleetCommands)
}

// look reads the fleet.
func (f *Fleet) look(ctx context.Context) error {
	listed, err := f.desk.Ledger.Announced(ctx)
	if err != nil {
		return err
	}
	crew, err := f.desk.Crew(ctx)
	if err != nil {
		return err
	}
	loss, err := f.desk.Ledger.LastLoss(ctx)
	if err != nil {
		return err
	}
	c := census{loss: loss, places: map[string]operate.Place{}, workers: len(crew)}
	for _, a := range listed {
		c.busy = append(c.busy, a.Customer)
	}
	slices.SortFunc(c.busy, store.CompareCustomers)
	for page := range slices.Chunk(c.busy, placePage) {
		if err := f.places(ctx, page, c.places); err != nil {
			return err
		}
	}
	f.seen = c
	return f.walk(ctx)
}

// places reads how customers stand. Where that fails each is read by itself: of a
// cluster one node may be out of reach.
func (f *Fleet) places(ctx context.Context, page []string, into map[string]operate.Place) error {
	together, cancel := context.WithTimeout(ctx, fleetLimit/2)
	defer cancel()
	all, err := f.desk.Places(together, page...)
	for i := range all {
		into[page[i]] = all[i]
	}
	if err == nil || len(page) == 1 {
		return err
	}
	var (
		mu      sync.Mutex
		reading sync.WaitGroup
		slots   = make(chan struct{}, apart)
	)
	for _, customer := range page {
		slots <- struct{}{}
		reading.Go(func() {
			defer func() { <-slots }()
			var one []operate.Place
			oneErr := panics.Contain(func() (err error) {
				one, err = f.desk.Places(ctx, customer)
				return err
			})
			mu.Lock()
			defer mu.Unlock()
			if oneErr == nil {
				into[customer], err = one[0], nil
			}
		})
	}
	reading.Wait()
	return err // unless one could be read
}

// walk goes on with what is looked at some customers at a time.
func (f *Fleet) walk(ctx context.Context) error {
	s := &f.scan
	if s.at >= len(s.all) {
		all, err := f.desk.Ledger.Customers(ctx)
		if err != nil {
			return err
		}
		slices.SortFunc(all, store.CompareCustomers)
		s.all, s.at = all, 0
		forget(s.dead, all)
		forget(s.violations, all)
		forget(s.readBacks, all)
	}
	page := s.all[s.at:min(s.at+scanStep, len(s.all))]
	s.at += len(page)
	dead, err := f.desk.Ledger.DeadOf(ctx, page...)
	if err != nil {
		return err
	}
	readBacks, err := f.desk.Ledger.ReadBacks(ctx, page...)
	if err != nil {
		return err
	}
	for i, customer := range page {
		s.dead[customer] = dead[i]
		delete(s.readBacks, customer)
		if r, had := readBacks[customer]; had {
			s.readBacks[customer] = r
		}
	}
	var audited []string
	if len(f.seen.busy) > 0 {
		audited = append(audited, f.seen.busy[s.busyAt%len(f.seen.busy)])
	}
	if len(s.all) > 0 {
		audited = append(audited, s.all[s.busyAt%len(s.all)])
	}
	s.busyAt++
	for _, customer := range slices.Compact(audited) {
		if err := f.audit(ctx, customer); err != nil {
			return err
		}
	}
	return nil
}

// forget drops what is known of customers that are no more.
func forget[T any](known map[string]T, all []string) {
	for customer := range known {
		if !slices.Contains(all, customer) {
			delete(known, customer)
		}
	}
}

func (f *Fleet) audit(ctx context.Context, customer string) error {
	found, err := f.desk.Ledger.QuickAudit(ctx, customer)
	if err != nil {
		return err
	}
	f.audits++
	delete(f.scan.violations, customer)
	for _, v := range found {
		if f.scan.violations[customer] == nil {
			f.scan.violations[customer] = map[string]int{}
		}
		f.scan.violations[customer][v.Kind]++
	}
	return nil
}
