package main

import (
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
)

func TestCheck(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	jobless, _, ids := w.makeDeadLetters()
	t.Run("a sound ledger is clean, with its sums", func(t *testing.T) {
		r := w.call("check")
		r.wantStatus(t, statusDone)
		r.wantAll(t, "customer", "1234", "77", "Clean.")
	})
	t.Run("as JSON it is one object, for one customer as well, and needs no keyset", func(t *testing.T) {
		r := call(t, "check", "--customer=1234", "--json", "--redis-url="+w.url)
		r.wantStatus(t, statusDone)
		got := decode[admin.CheckResult](t, r.out)
		if !got.Clean || len(got.Customers) != 1 || got.Customers[0].Dead != 8 || got.Violations == nil || got.Worker {
			t.Errorf("got %s", r.out)
		}
	})
	t.Run("an expired export is shown with its batch", func(t *testing.T) {
		const p = "ix:{1234}:"
		record, payload := w.redis.Dump(t.Context(), p+"x:"+ids[0]).Val(), p+"p:"+ids[0]
		if err := w.redis.Del(t.Context(), p+"x:"+ids[0]).Err(); err != nil {
			t.Fatal(err)
		}
		r := w.call("check")
		r.wantStatus(t, statusPartial)
		r.wantAll(t, "listed as a dead letter, but it has no record", string(jobless), ids[0], "No active workers")
		got := decode[admin.CheckResult](t, w.call("check", "--json").out)
		kinds := map[string]bool{}
		for _, v := range got.Violations {
			kinds[v.Kind] = true
		}
		if got.Clean || !kinds[store.ViolationDeadStray] || !kinds[store.ViolationPayloadLeft] {
			t.Errorf("found %v; %s", kinds, payload)
		}
		if err := w.redis.Restore(t.Context(), p+"x:"+ids[0], 0, record).Err(); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("many of a kind are truncated, and the list says so", func(t *testing.T) {
		_, late := w.accept("1234", 1709, 200, 30)
		for _, export := range late {
			if err := w.redis.ZAdd(t.Context(), "ix:{1234}:due", redisZ(time.Now().Add(-time.Hour), export)).Err(); err != nil {
				t.Fatal(err)
			}
		}
		r := w.call("check")
		r.wantStatus(t, statusPartial)
		r.wantAll(t, "60 violations", "and 20 more of the same kinds", "has no task")
		for _, kind := range []string{"stuck]", "no_task]"} {
			if n := strings.Count(r.out, kind); n != shownViolations {
				t.Errorf("%d %s are listed", n, kind)
			}
		}
	})
	for name, c := range map[string]struct {
		flags []string
		want  string
	}{
		"a customer that is none":                {[]string{"--customer=acme"}, "digits only"},
		"a read-back for no customer":            {[]string{"--remote"}, "--customer"},
		"a read-back for one without connection": {[]string{"--remote", "--customer=77"}, "no usable connection"},
		"a read-back of nobody":                  {[]string{"--remote", "--sample=0", "--customer=77"}, "--sample must be from 1 to 500"},
		"a read-back of too many":                {[]string{"--remote", "--sample=501", "--customer=77"}, "--sample must be from 1 to 500"},
		"a read-back of less than nobody":        {[]string{"--remote=-3", "--customer=77"}, "--sample"},
		"a value that is no number":              {[]string{"--remote=all", "--customer=77"}, "--sample"},
	} {
		t.Run(name+" is refused", func(t *testing.T) {
			r := w.call(append([]string{"check"}, c.flags...)...)
			r.wantStatus(t, statusUsage)
			if !strings.Contains(r.errors, c.want) {
				t.Errorf("%q is missing in %s", c.want, r.errors)
			}
		})
	}
}

func redisZ(at time.Time, member string) redis.Z {
	return redis.Z{Score: float64(at.UnixMilli()), Member: member}
}

// The check lists the Redis settings that are a risk, and those that could not be checked.
func TestAuditListsRedisRisks(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		options []redistest.Option
		says    []string
	}{
		"all is well":         {[]redistest.Option{redistest.AppendOnly("everysec")}, nil},
		"no append-only file": {nil, []string{"At risk: Redis keeps no append-only file"}},
		"CONFIG and INFO are refused": {
			[]redistest.Option{redistest.AppendOnly("everysec"), redistest.Config("rename-command", `CONFIG ""`), redistest.Config("rename-command", `INFO ""`)},
			[]string{"At risk: Redis could not be checked", "appendonly, maxmemory-policy", "maxmemory-policy noeviction"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWardOn(t, redistest.Start(t, c.options...))
			w.accept("1234", 1709, 0, 1)
			r := w.call("check")
			r.wantStatus(t, statusDone)
			said := strings.Join(strings.Fields(r.out), " ")
			for _, text := range append(c.says, "Clean.") {
				if !strings.Contains(said, text) {
					t.Errorf("%q is missing in %s", text, said)
				}
			}
			got := decode[admin.CheckResult](t, w.call("check", "--json").out)
			if !got.Clean || len(got.Risks) != min(len(c.says), 1) || strings.Contains(said, "At risk") != (len(c.says) > 0) {
				t.Errorf("risks: %q; %s", got.Risks, said)
			}
		})
	}
}
