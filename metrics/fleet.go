package metrics

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/internal/panics"
	"github.com/seekout/icims-export/store"
)

const (
	// fleetEvery is the minimum time between two readings of the fleet, fleetLimit the timeout of
	// one. Prometheus waits ten seconds for a response.
	fleetEvery = 10 * time.Second
	fleetLimit = 4 * time.Second
	// fleetOld is when metrics of an old reading are no longer exported.
	fleetOld = 5 * time.Minute
	// placeCommands is the number of commands to read a customer with work, fleetCommands the limit
	// of commands per second for readings, on average.
	placeCommands = 17
	fleetCommands = 1000
	// scanStep is how many customers' dead letters are counted per reading. A thousand idle
	// customers cost a few commands per second.
	scanStep  = 30
	placePage = 250
	apart     = 16
)

// Fleet exports what is the same for all processes: queues, budgets, dead letters and consistency
// checks of all customers. It reads on collection, and only in the leader. Customers without work
// cost little: their dead letters are counted and their counters checked in small groups.
type Fleet struct {
	admin     *admin.Service
	leads     func() bool
	customers bool
	now       func() time.Time

	mu       sync.Mutex
	read, at time.Time // start of the last reading, and time of the last success
	seen     snapshot
	failed   int
	audits   int
	scan     scan
}

// snapshot is the result of one reading.
type snapshot struct {
	busy    []string
	places  map[string]admin.CustomerStatus // customers with work that could be read
	workers int
	loss    store.Loss
}

// scan is the progress and result of reading all customers.
type scan struct {
	all        []string
	at, busyAt int
	dead       map[string]int64
	violations map[string]map[string]int // by customer and kind
	readBacks  map[string]store.ReadBack // last read-backs
}

// NewFleet returns a collector for the fleet's metrics. leads reports whether this process exports
// them. byCustomer adds metrics for each customer with work.
func NewFleet(admin *admin.Service, leads func() bool, byCustomer bool) *Fleet {
	return &Fleet{
		admin: admin, leads: leads, customers: byCustomer, now: time.Now,
		scan: scan{dead: map[string]int64{}, violations: map[string]map[string]int{}, readBacks: map[string]store.ReadBack{}},
	}
}

var fleetMetrics = []*Metric{
	laneDepth, laneOldest, customers, customersHeld, budget, budgetLeft, budgetRatio, deadLetters, auditViolations, auditsTotal,
	workers, redisLoss, fieldsLost, fleetRead, fleetReadsFailed,
}

var customerMetrics = []*Metric{customerDepth, customerOldest, customerState, customerBudget, customerLeft, customerFieldShare, customerFieldEarlier, customerReadBack}

// Describe implements prometheus.Collector.
func (f *Fleet) Describe(out chan<- *prometheus.Desc) {
	describe(out, fleetMetrics)
	if f.customers {
		describe(out, customerMetrics)
	}
}

// Collect exports the last reading, and first reads again if it is due.
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
		if err := f.refresh(ctx); err != nil {
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

// pause is the minimum age for a new reading; longer if there is much to read.
func (f *Fleet) pause() time.Duration {
	return max(fleetEvery, time.Duration(len(f.seen.busy)*placeCommands)*time.Second/fleetCommands)
}

// refresh reads the fleet.
func (f *Fleet) refresh(ctx context.Context) error {
	listed, err := f.admin.Ledger.Lanes.Announced(ctx)
	if err != nil {
		return err
	}
	crew, err := f.admin.Lanes.Workers(ctx)
	if err != nil {
		return err
	}
	loss, err := f.admin.Ledger.Workers.LastLoss(ctx)
	if err != nil {
		return err
	}
	c := snapshot{loss: loss, places: map[string]admin.CustomerStatus{}, workers: len(crew)}
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
	return f.scanSome(ctx)
}

// places reads the status of customers. If that fails, it reads each individually: one node of a
// cluster may be unreachable.
func (f *Fleet) places(ctx context.Context, page []string, into map[string]admin.CustomerStatus) error {
	together, cancel := context.WithTimeout(ctx, fleetLimit/2)
	defer cancel()
	all, err := f.admin.Lanes.CustomerStatuses(together, page...)
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
			var one []admin.CustomerStatus
			oneErr := panics.Contain(func() (err error) {
				one, err = f.admin.Lanes.CustomerStatuses(ctx, customer)
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

// scanSome continues the scan with the next customers.
func (f *Fleet) scanSome(ctx context.Context) error {
	s := &f.scan
	if s.at >= len(s.all) {
		all, err := f.admin.Ledger.Workers.Customers(ctx)
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
	dead, err := f.admin.Ledger.DeadLetters.CountOf(ctx, page...)
	if err != nil {
		return err
	}
	readBacks, err := f.admin.Ledger.Candidates.ReadBacks(ctx, page...)
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

// forget removes customers that no longer exist.
func forget[T any](known map[string]T, all []string) {
	for customer := range known {
		if !slices.Contains(all, customer) {
			delete(known, customer)
		}
	}
}

func (f *Fleet) audit(ctx context.Context, customer string) error {
	found, err := f.admin.Ledger.Checks.Quick(ctx, customer)
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
