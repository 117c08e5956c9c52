package store

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// Kind tells exports apart by what they cost: to a job or not, and whether
// candidates are among them who were exported before.
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

// stock is what an export of the kind takes as long as nothing was measured: a
// new person, found by two searches for fifty addresses each, and a workflow.
func (k Kind) stock() float64 {
	const searches, write = 2.0 / 50, 1
	if k == KindOf(0, false) || k == KindOf(0, true) {
		return searches + write
	}
	return searches + 2*write
}

// Costs is how many calls exports of a customer took lately, by kind.
type Costs map[Kind]Cost

// Cost is how many calls so many exports took.
type Cost struct {
	Exports, Calls int
}

// doubt is how many exports an assumption weighs as much as, beside measured ones.
const doubt = 20

// with weighs an assumption against what was measured.
func (c Cost) with(assumed float64) float64 {
	return (doubt*assumed + float64(c.Calls)) / float64(doubt+c.Exports)
}

// Each is how many calls an export of the kind takes which is not skipped. Before
// any was measured it is what such exports take everywhere.
func (c Costs) Each(kind Kind) float64 { return c[kind].with(kind.stock()) }

// Remaining is how many calls a batch still needs. It goes by what its exports
// took so far, skipped ones included, and at its beginning by those of its kind.
func (c Costs) Remaining(b Batch) float64 {
	each := Cost{Exports: b.Accepted - b.Moving(), Calls: b.Calls}.with(c.Each(b.Kind()))
	return float64(b.Moving()) * each
}

// Costs reads how many calls exports of the customer took: of each kind the last
// 500 to 1,000, later ones weighing more.
func (l *Ledger) Costs(ctx context.Context, customer string) (Costs, error) {
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
