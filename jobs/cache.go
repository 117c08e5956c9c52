package jobs

import (
	"context"
	"sync"

	"github.com/seekout/icims-export/store"
)

// cachedJobs limits how many decrypted jobs a process keeps, over all customers: about 60 MB.
const cachedJobs = 200_000

// cache keeps decrypted lists, so that search-as-you-type costs one small Redis command.
type cache struct {
	mu    sync.Mutex
	lists map[string]*cached
	jobs  int
	clock int64
}

type cached struct {
	list  store.JobList
	index index
	used  int64
}

func (c *cache) read(ctx context.Context, ledger *store.Ledger, customer string) (store.JobList, index, error) {
	c.mu.Lock()
	known := c.lists[customer]
	c.mu.Unlock()
	var before store.JobList
	if known != nil {
		before = known.list
	}
	list, err := ledger.JobLists.Get(ctx, customer, before)
	if err != nil {
		return list, nil, err
	}
	if known != nil && list.Version == before.Version {
		c.touch(known)
		return list, known.index, nil
	}
	fresh := &cached{list: list, index: newIndex(list.Jobs)}
	c.put(customer, fresh)
	return list, fresh.index, nil
}

func (c *cache) touch(e *cached) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.clock++
	e.used = c.clock
}

// put adds a list and evicts the least recently used ones.
func (c *cache) put(customer string, e *cached) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.lists == nil {
		c.lists = map[string]*cached{}
	}
	c.drop(customer)
	c.clock++
	e.used = c.clock
	c.lists[customer] = e
	c.jobs += len(e.list.Jobs)
	for c.jobs > cachedJobs && len(c.lists) > 1 {
		oldest := customer
		for other, held := range c.lists {
			if held.used < c.lists[oldest].used {
				oldest = other
			}
		}
		c.drop(oldest)
	}
}

func (c *cache) drop(customer string) {
	if held := c.lists[customer]; held != nil {
		c.jobs -= len(held.list.Jobs)
		delete(c.lists, customer)
	}
}
