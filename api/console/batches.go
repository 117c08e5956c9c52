package console

import (
	"net/url"
	"strconv"

	"github.com/seekout/icims-export/api"
)

func (c *Console) registerBatches() {
	const batches, batch = "/customers/{customer}/batches", "/customers/{customer}/batches/{batch}"
	c.handle("GET "+batches, "batches", api.ScopeRead, (*visit).batches)
	c.handle("GET "+batch, "batches", api.ScopeRead, (*visit).batch)
	c.handle("GET "+batch+"/events", "batches", api.ScopeRead, (*visit).batchEvents)
	c.handle("GET "+batch+"/results", "batches", api.ScopeRead, (*visit).batchResults)
	c.handle("GET "+batch+"/refused.csv", "batches", api.ScopeRead, (*visit).batchRefusedCSV)
	c.handle("GET "+batch+"/cancel", "batches", api.ScopeExport, (*visit).askToCancel)
	c.handle("POST "+batch+"/cancel", "batches", api.ScopeExport, (*visit).cancelBatch)
}

// batchesPage is the list of a customer's batches.
type batchesPage struct {
	Customer string
	Batches  []batchProgress
	// Tests means that verification batches are listed instead.
	Tests     bool
	Later     bool // not the first page
	More      string
	MayExport bool
}

// Moving reports whether a batch of the list is in progress, so that the list refreshes.
func (p batchesPage) Moving() bool {
	for _, b := range p.Batches {
		if !b.Over() {
			return true
		}
	}
	return false
}

// Waits returns what blocks the open batches. It is the same for all batches of the customer.
func (p batchesPage) Waits() []string {
	for _, b := range p.Batches {
		if len(b.Waits) > 0 {
			return b.Waits
		}
	}
	return nil
}

// Lane links to the lane if resuming it unblocks the exports; otherwise it is nil.
func (p batchesPage) Lane() *link { return openLane(p.Customer, p.Waits()) }

// Path returns the list's URL.
func (p batchesPage) Path() string { return "/customers/" + p.Customer + "/batches" }

// shownBatches is the page size.
const shownBatches = 25

func (v *visit) batches() error {
	q := v.r.URL.Query()
	page := batchesPage{Customer: v.Customer, Tests: q.Get("tests") == "true", Later: q.Get("cursor") != "", MayExport: v.May(api.ScopeExport)}
	ask := url.Values{"limit": {strconv.Itoa(shownBatches)}}
	for _, name := range []string{"tests", "cursor"} {
		if text := q.Get(name); text != "" {
			ask.Set(name, text)
		}
	}
	var list api.BatchList
	if err := v.get(v.customerPath("batches"), ask, &list); err != nil {
		return err
	}
	for _, b := range list.Batches {
		page.Batches = append(page.Batches, v.standingOf(b))
	}
	if list.Next != "" {
		next := url.Values{"cursor": {list.Next}}
		if page.Tests {
			next.Set("tests", "true")
		}
		page.More = page.Path() + "?" + next.Encode()
	}
	if v.byHTMX() {
		return v.part("batches", "batch-list", page)
	}
	title := "Batches"
	if page.Tests {
		title = "Verification batches"
	}
	return v.page("batches", title, page)
}
