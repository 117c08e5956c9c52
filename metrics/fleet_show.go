package metrics

import (
	"time"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/tasks"
)

type show = func(m *Metric, value float64, labels ...string)

// queueWork is the work in one queue of a customer.
type queueWork struct {
	name  string
	state tasks.QueueState
	held  bool
}

func queuesOf(p admin.CustomerStatus) []queueWork {
	held := p.Hold.Keeps()
	return []queueWork{{queueBulk, p.Queues.Bulk(), held}, {queueExpress, p.Queues.Express, held && !p.Hold.BulkOnly}}
}

// depths returns the numbers of a queue by the label "state".
func (q queueWork) depths() map[string]int {
	return map[string]int{workWaiting: q.state.Pending, workActive: q.state.Active, workLate: q.state.Later()}
}

// show exports the metrics of the whole fleet.
func (f *Fleet) show(show show) {
	f.showQueues(show)
	f.showCalls(show)
	states, reasons := map[string]int{}, map[string]int{}
	for _, p := range f.seen.places {
		states[string(p.Hold.State)]++
		if p.Hold.Keeps() {
			reasons[holdReason(p.Hold)]++
		}
	}
	for _, state := range labelCustomers.Values {
		show(customers, float64(states[state]), state)
	}
	for _, reason := range labelHoldReason.Values {
		show(customersHeld, float64(reasons[reason]), reason)
	}
	dead, violations := int64(0), map[string]int{}
	for _, n := range f.scan.dead {
		dead += n
	}
	for _, kinds := range f.scan.violations {
		for kind, n := range kinds {
			violations[kind] += n
		}
	}
	show(deadLetters, float64(dead))
	for _, kind := range labelViolation.Values {
		show(auditViolations, float64(violations[kind]), kind)
	}
	show(auditsTotal, float64(f.audits))
	lost := map[string]int{}
	for _, r := range f.scan.readBacks {
		for name, figure := range r.Fields {
			if figure.Lost() {
				lost[name]++
			}
		}
	}
	for _, field := range labelField.Values {
		show(fieldsLost, float64(lost[field]), field)
	}
	show(workers, float64(f.seen.workers))
	for _, kind := range labelLoss.Values {
		lost := 0.0
		if string(f.seen.loss.Kind) == kind {
			lost = float64(f.seen.loss.At.UnixMilli()) / 1000
		}
		show(redisLoss, lost, kind)
	}
}

func holdReason(h admin.Hold) string {
	if h.By == admin.WebUI {
		return heldInWebUI
	}
	return labelHoldReason.within(string(h.Reason))
}

func (f *Fleet) showQueues(show show) {
	type waiting struct{ queue, held string }
	depth, oldest := map[[2]string]int{}, map[waiting]time.Duration{}
	for _, p := range f.seen.places {
		for _, q := range queuesOf(p) {
			for state, n := range q.depths() {
				depth[[2]string{q.name, state}] += n
			}
			w := waiting{q.name, heldNo}
			if q.held {
				w.held = heldYes
			}
			oldest[w] = max(oldest[w], q.state.Oldest)
		}
	}
	laneDepth.each(func(l []string) { show(laneDepth, float64(depth[[2]string{l[0], l[1]}]), l...) })
	laneOldest.each(func(l []string) { show(laneOldest, oldest[waiting{l[0], l[1]}].Seconds(), l...) })
}

func (f *Fleet) showCalls(show show) {
	all, left, ratio := 0, 0, 1.0
	for _, p := range f.seen.places {
		s := p.Standing
		if s.Budget == 0 {
			continue // no calls yet
		}
		all += s.Budget
		left += max(s.Left, 0)
		ratio = min(ratio, float64(max(s.Left, 0))/float64(s.Budget))
	}
	show(budget, float64(all))
	show(budgetLeft, float64(left))
	show(budgetRatio, ratio)
}

// showReadBacks exports the figures of customers' last read-backs.
func (f *Fleet) showReadBacks(show show) {
	for customer, r := range f.scan.readBacks {
		show(customerReadBack, float64(r.At.UnixMilli())/1000, customer)
		for _, field := range labelField.Values {
			figure := r.Fields[field]
			if figure.Sent > 0 {
				show(customerFieldShare, figure.Share, customer, field)
			}
			if figure.Earlier != nil {
				show(customerFieldEarlier, *figure.Earlier, customer, field)
			}
		}
	}
}

// showCustomers exports the metrics of each customer with work.
func (f *Fleet) showCustomers(show show) {
	f.showReadBacks(show)
	for customer, p := range f.seen.places {
		for _, q := range queuesOf(p) {
			for state, n := range q.depths() {
				show(customerDepth, float64(n), customer, q.name, state)
			}
			show(customerOldest, q.state.Oldest.Seconds(), customer, q.name)
		}
		for _, state := range labelCustomers.Values {
			show(customerState, flag(state == string(p.Hold.State)), customer, state)
		}
		if p.Standing.Budget > 0 {
			show(customerBudget, float64(p.Standing.Budget), customer)
			show(customerLeft, float64(max(p.Standing.Left, 0)), customer)
		}
	}
}
