package icimstest

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// TestQuirks runs with every quirk at full rate.
func TestQuirks(t *testing.T) {
	cfg := calm()
	cfg.Quirks = Quirks{Warnings: 1, StringIDs: 1, Unknown: 1, Chunked: 1}
	b := open(t, cfg)
	t.Run("a create may warn about a field it stored", func(t *testing.T) {
		r := b.must(201, "POST", "/people", ana+`,"source":"SeekOut"}`)
		if diff := cmp.Diff([]string{"4 source: Provided source is not in the list of sources."}, r.problems(t, "warnings")); diff != "" {
			t.Error(diff)
		}
		if p, _ := b.tenant.Person(90001); p["source"] != "SeekOut" || r.header.Get("Location") == "" {
			t.Error(p)
		}
	})
	t.Run("search ids may be quoted", func(t *testing.T) {
		row := b.search("people", byEmail("ana.duarte@example.com")).json(t)["searchResults"].([]any)[0].(map[string]any)
		if row["id"] != "90001" {
			t.Error(row)
		}
	})
	t.Run("unknown fields and headers may appear", func(t *testing.T) {
		r := b.must(200, "GET", "/people/90001", "")
		if _, seen := r.json(t)["platformnotice"]; !seen || r.header.Get("X-Platform-Shard") == "" {
			t.Errorf("%s %v", r.body, r.header)
		}
	})
	t.Run("answers may come in chunks", func(t *testing.T) {
		if r := b.must(200, "GET", "/people/90001", ""); r.header.Get("Content-Length") != "" {
			t.Error(r.header)
		}
	})
	t.Run("portal rows may ascend", func(t *testing.T) {
		cfg := calm()
		cfg.Quirks.AscendingPortals = true
		if diff := cmp.Diff([]int64{1709, 1710, 1711}, open(t, cfg).must(200, "GET", "/search/portals/1", "").hits(t)); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("by default all of them show now and then", func(t *testing.T) {
		got := Config{}.withDefaults()
		if q := got.Quirks; q.Warnings <= 0 || q.StringIDs <= 0 || q.Unknown <= 0 || q.Chunked <= 0 || q.AscendingPortals {
			t.Errorf("%+v", q)
		}
		if l := got.Latency; l.Rate <= 0 || l.Max <= 0 || l.Max > 100*time.Millisecond {
			t.Errorf("%+v", l)
		}
	})
}

func TestLatency(t *testing.T) {
	slept := func(l Latency) (n int, longest time.Duration) {
		cfg := calm()
		cfg.Latency = l
		cfg.Sleep = func(_ context.Context, d time.Duration) error {
			n++
			longest = max(longest, d)
			return nil
		}
		sim := New(cfg)
		sim.AddTenant(TenantConfig{Customer: customer, Username: "user", Password: "secret"})
		for range 400 {
			if _, err := post(t.Context(), sim, "/people", ana+"}"); err != nil {
				t.Fatal(err)
			}
		}
		return n, longest
	}
	t.Run("by default one call in twenty is slow", func(t *testing.T) {
		if n, longest := slept(Latency{}); n < 5 || n > 50 || longest > 40*time.Millisecond {
			t.Errorf("%d of 400, at most %v", n, longest)
		}
	})
	t.Run("none is none", func(t *testing.T) {
		if n, _ := slept(Latency{None: true}); n != 0 {
			t.Error(n)
		}
	})
	t.Run("a range without a rate slows every call", func(t *testing.T) {
		if n, longest := slept(Latency{Min: time.Second, Max: time.Second}); n != 400 || longest != time.Second {
			t.Errorf("%d, %v", n, longest)
		}
	})
}
