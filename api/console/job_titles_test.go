package console

import (
	"net/http"
	"testing"

	"github.com/seekout/icims-export/api"
	"github.com/seekout/icims-export/internal/testrig"
	"github.com/seekout/icims-export/store"
)

func TestJobsAreShownWithKnownTitles(t *testing.T) {
	w := newWard(t)
	w.connected()
	w.listed(someJobs...)
	known, refs := w.accept(mine, 1709, "c-1", "c-2")
	w.makeDead(store.ReasonJobNotFound, testrig.NoJob, refs[0])
	w.finish(store.Finish{To: store.Done, Counter: store.CountCreated, Person: 17, Job: 1709, Workflow: 3}, refs[1])
	marked, _ := w.accept(mine, 1701, "c-3")
	unknown, strays := w.accept(mine, 999, "c-4")
	w.makeDead(store.ReasonJobNotFound, testrig.NoJob, strays...)
	prospects, _ := w.accept(mine, 0, "c-5")
	const batches, candidate, dead = "/customers/1234/batches/", "/customers/1234/candidates?id=", "/customers/1234/dead-letters/"
	p := w.person(api.ScopeExport)
	for name, c := range map[string]struct{ path, said string }{
		"in the list of batches":        {batches[:len(batches)-1], "job 1709 “Data Engineer”"},
		"in that list, markup as text":  {batches[:len(batches)-1], "job 1701 “&lt;b&gt;Bold&lt;/b&gt; Engineer”"},
		"in that list, none is known":   {batches[:len(batches)-1], "job 999</td>"},
		"on a batch's page":             {batches + string(known), "<h1>Export to job 1709 “Data Engineer”</h1>"},
		"there as well, markup as text": {batches + string(marked), "<h1>Export to job 1701 “&lt;b&gt;Bold&lt;/b&gt; Engineer”</h1>"},
		"of a job that is not listed":   {batches + string(unknown), "<h1>Export to job 999</h1>"},
		"of prospects":                  {batches + string(prospects), "<h1>Export to prospects</h1>"},
		"before a batch is canceled":    {batches + string(marked) + "/cancel", "Cancel the export to job 1701 “&lt;b&gt;"},
		"in a story":                    {candidate + "c-1", "to job 1709 “Data Engineer”</h3>"},
		"where somebody was put":        {candidate + "c-2", "on job 1709 “Data Engineer” with workflow 3"},
		"in the story of a stray":       {candidate + "c-4", "to job 999</h3>"},
		"of a dead letter":              {dead + refs[0].Export, "job 1709 “Data Engineer”, batch"},
		"of a stray's dead letter":      {dead + strays[0].Export, "job 999, batch"},
	} {
		t.Run(name, func(t *testing.T) {
			got := p.get(c.path)
			got.wants(t, http.StatusOK, c.said)
			got.lacks(t, "<b>Bold")
		})
	}
	if asked, err := w.ledger.Control.List(t.Context(), mine, store.ControlJobs); err != nil || len(asked) != 0 {
		t.Errorf("the list was asked for again: %+v, %v", asked, err)
	}
}
