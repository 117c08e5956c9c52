package store

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// Kind classifies exports by cost: to a job or not, with or without previously exported candidates.
type Kind string

// KindOf returns the kind of a batch's exports. Job 0 means prospects.
func KindOf(job int64, includePreviouslyExported bool) Kind {
	kind := Kind("job")
	if job == 0 {
		kind = "prospect"
	}
	if includePreviouslyExported {
		kind += "+again"
	}
	return kind
}

func (c *Claim) kind() Kind { return KindOf(JobOf(c.Target), c.IncludesExported()) }

// Kind returns the kind of the batch's exports.
func (b Batch) Kind() Kind { return KindOf(b.Job, b.IncludePreviouslyExported) }

// assumedCost is the assumed number of calls per export before any is measured: a new person, found
// by two searches of fifty addresses each, and a workflow.
func (k Kind) assumedCost() float64 {
	const searches, write = 2.0 / 50, 1
	if k == KindOf(0, false) || k == KindOf(0, true) {
		return searches + write
	}
	return searches + 2*write
}

// Costs holds the recent cost of a customer's exports by kind.
type Costs map[Kind]Cost

// Cost is the number of calls that a number of exports took.
type Cost struct {
	Exports, Calls int
}

// assumedWeight is the weight of the assumed cost, in exports.
const assumedWeight = 20

// with returns the average of the assumed and the measured cost per export.
func (c Cost) with(assumed float64) float64 {
	return (assumedWeight*assumed + float64(c.Calls)) / float64(assumedWeight+c.Exports)
}

// Each returns the expected calls of an export of the kind that is not skipped. Without
// measurements it is the assumed cost.
func (c Costs) Each(kind Kind) float64 { return c[kind].with(kind.assumedCost()) }

// Remaining returns how many calls a batch still needs. It uses the average of its finished
// exports, including skipped ones, and starts from the cost of their kind.
func (c Costs) Remaining(b Batch) float64 {
	each := Cost{Exports: b.Accepted - b.Moving(), Calls: b.Calls}.with(c.Each(b.Kind()))
	return float64(b.Moving()) * each
}

// Costs reads how many calls the customer's exports took: of each kind the last 500 to 1,000, with
// more weight on recent ones.
func (l *Batches) Costs(ctx context.Context, customer string) (Costs, error) {
	costs := Costs{}
	kinds := []Kind{KindOf(0, false), KindOf(0, true), KindOf(1, false), KindOf(1, true)}
	read := make([]*redis.SliceCmd, len(kinds))
	_, err := l.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, k := range kinds {
			read[i] = p.HMGet(ctx, countersKey(customer), "ended:"+string(k), "calls:"+string(k))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read costs: %w", err)
	}
	for i, k := range kinds {
		if f := read[i].Val(); len(f) == 2 {
			costs[k] = Cost{Exports: int(number(text(f[0]))), Calls: int(number(text(f[1])))}
		}
	}
	return costs, nil
}
