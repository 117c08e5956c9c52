package jobs

import (
	"testing"

	"github.com/seekout/icims-export/store"
)

func TestSearch(t *testing.T) {
	list := []store.ListedJob{
		{ID: 1709, Title: "Senior Data Engineer", Number: "2026-0042", Location: "São Paulo, Brazil"},
		{ID: 1710, Title: "Krankenpfleger (m/w/d) – Straße", Number: "K-17", Location: "Łódź"},
		{ID: 421, Title: "Ingénieur données", Location: "Orléans"},
		{ID: 17, Title: "ΜΗΧΑΝΙΚΟΣ", Location: "Ørsted Gård"},
	}
	for text, want := range map[string][]int64{
		"":                  {1709, 1710, 421, 17},
		"engineer":          {1709},
		"ENGINEER data":     {1709}, // any order, any case
		"data gardener":     nil,    // all words
		"sao paulo":         {1709},
		"SÃO":               {1709},
		"ingenieur":         {421},
		"ingénieur donnees": {421},
		"STRASSE":           {1710},
		"lodz":              {1710},
		"μηχανικός":         {17},
		"orsted gard":       {17},
		"2026-0042":         {1709},
		"17":                {1709, 1710, 17}, // IDs with this prefix, and a number
		"1709":              {1709},
		"21":                nil, // no ID has this prefix
		"(m/w/d)":           {1710},
	} {
		fits := newIndex(list).search(list, text)
		var got []int64
		for i, j := range list {
			if fits(i) {
				got = append(got, j.ID)
			}
		}
		if len(got) != len(want) {
			t.Errorf("%q finds %v, want %v", text, got, want)
			continue
		}
		for i := range want {
			if got[i] != want[i] {
				t.Errorf("%q finds %v, want %v", text, got, want)
			}
		}
	}
}

func TestOpenedListsAreBounded(t *testing.T) {
	var c cache
	list := func(n int) *cached { return &cached{list: store.JobList{Jobs: make([]store.ListedJob, n)}} }
	c.put("1", list(cachedJobs/2))
	c.put("2", list(cachedJobs/2))
	c.touch(c.lists["1"])
	c.put("3", list(1))
	if c.lists["1"] == nil || c.lists["2"] != nil || c.lists["3"] == nil || c.jobs != cachedJobs/2+1 {
		t.Errorf("%d jobs of %d customers", c.jobs, len(c.lists))
	}
	c.put("3", list(2*cachedJobs)) // by itself over the limit
	if len(c.lists) != 1 || c.jobs != 2*cachedJobs {
		t.Errorf("%d jobs of %d customers", c.jobs, len(c.lists))
	}
}
