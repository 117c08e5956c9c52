package main

import (
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/operate"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
)

func TestAudit(t *testing.T) {
	w := newWard(t)
	jobless, _, ids := w.sorrows()
	t.Run("a sound ledger is clean, with its sums", func(t *testing.T) {
		r := w.call("audit")
		r.wantStatus(t, statusDone)
		r.wantAll(t, "customer", "1234", "77", "Clean.")
	})
	t.Run("as JSON it is one object, for one customer as well, and needs no keyset", func(t *testing.T) {
		r := call(t, "audit", "--customer=1234", "--json", "--redis-url="+w.url)
		r.wantStatus(t, statusDone)
		got := decode[operate.AuditResult](t, r.out)
		if !got.Clean || len(got.Customers) != 1 || got.Customers[0].Dead != 8 || got.Violations == nil || got.Worker {
			t.Errorf("got %s", r.out)
		}
	})
	t.Run("an export that is gone is named with its batch", func(t *testing.T) {
		const p = "ix:{1234}:"
		record, payload := w.redis.Dump(t.Context(), p+"x:"+ids[0]).Val(), p+"p:"+ids[0]
		if err := w.redis.Del(t.Context(), p+"x:"+ids[0]).Err(); err != nil {
			t.Fatal(err)
		}
		r := w.call("audit")
		r.wantStatus(t, statusPartial)
		r.wantAll(t, "listed as a dead letter, but there is no record of it", string(jobless), ids[0], "No active workers")
		got := decode[operate.AuditResult](t, w.call("audit", "--json").out)
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
	t.Run("many of a kind are cut short, and the list says so", func(t *testing.T) {
		_, late := w.accept("1234", 1709, 200, 30)
		for _, export := range late {
			if err := w.redis.ZAdd(t.Context(), "ix:{1234}:due", redisZ(time.Now().Add(-time.Hour), export)).Err(); err != nil {
				t.Fatal(err)
			}
		}
		r := w.call("audit")
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
		"a customer that is none":               {[]string{"--customer=acme"}, "digits only"},
		"a look-up for no customer":             {[]string{"--remote=3"}, "--customer"},
		"a look-up for one without connection":  {[]string{"--remote=3", "--customer=77"}, "no usable connection"},
		"a look-up of less than no candidates ": {[]string{"--remote=-3", "--customer=77"}, "--remote"},
	} {
		t.Run(name+" is refused", func(t *testing.T) {
			r := w.call(append([]string{"audit"}, c.flags...)...)
			r.wantStatus(t, statusMisused)
			if !strings.Contains(r.errors, c.want) {
				t.Errorf("%q is missing in %s", c.want, r.errors)
			}
		})
	}
}

func redisZ(at time.Time, member string) redis.Z {
	return redis.Z{Score: float64(at.UnixMilli()), Member: member}
}

func TestAuditLooksIntoICIMS(t *testing.T) {
	w := newWard(t)
	done := func(n int, person int64) {
		_, ids := w.accept("1234", 0, n, 1)
		c, err := w.ledger.Claim(t.Context(), store.Ref{Customer: "1234", Export: ids[0]}, store.ClaimOptions{Lease: time.Minute, Settle: time.Minute})
		if err == nil {
			err = w.ledger.Finish(t.Context(), c, store.Finish{To: store.Done, Counter: store.CountCreated, Person: person})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	done(0, w.tenant.AddPerson(map[string]any{"firstname": "Ottoline", "lastname": "Quillfeather", "email": "ottoline@example.com"}))
	t.Run("nothing is called before the cost is agreed to", func(t *testing.T) {
		r := w.call("audit", "--customer=1234", "--remote=5")
		r.wantStatus(t, statusMisused)
		if !strings.Contains(r.errors, "1 candidate makes 1 call to iCIMS") || w.sim.CallCount() != 0 {
			t.Errorf("%d calls, %s", w.sim.CallCount(), r.errors)
		}
	})
	t.Run("who is there is found", func(t *testing.T) {
		r := w.call("audit", "--customer=1234", "--remote=5", "--yes")
		r.wantStatus(t, statusDone)
		r.wantAll(t, "1 exported candidate", "1 call")
	})
	t.Run("who is not is a violation", func(t *testing.T) {
		done(1, 4711)
		r := w.call("audit", "--customer=1234", "--remote=5", "--yes")
		r.wantStatus(t, statusPartial)
		r.wantAll(t, "Person 4711", "cannot be found in iCIMS")
	})
	t.Run("a wrong password is no verdict on anybody", func(t *testing.T) {
		w.tenant.SetPassword("another one")
		r := w.call("audit", "--customer=1234", "--remote=5", "--yes")
		r.wantStatus(t, statusFailed)
		if !strings.Contains(r.errors, "iCIMS refuses the user name or password") {
			t.Errorf("got %s", r.errors)
		}
	})
}

// An audit tells which settings of Redis are a risk, and which nobody could check.
func TestAuditTellsRisksOfRedis(t *testing.T) {
	for name, c := range map[string]struct {
		options []redistest.Option
		says    []string
	}{
		"all is well":         {[]redistest.Option{redistest.AppendOnly("everysec")}, nil},
		"no append-only file": {nil, []string{"At risk: Redis keeps no append-only file"}},
		"CONFIG and INFO are refused": {
			[]redistest.Option{redistest.AppendOnly("everysec"), redistest.Config("rename-command", `CONFIG ""`), redistest.Config("rename-command", `INFO ""`)},
			[]string{"At risk: Redis could not be checked", "appendonly, maxmemory-policy", "noeviction yourself"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWardOn(t, redistest.Start(t, c.options...))
			w.accept("1234", 1709, 0, 1)
			r := w.call("audit")
			r.wantStatus(t, statusDone)
			said := strings.Join(strings.Fields(r.out), " ")
			for _, text := range append(c.says, "Clean.") {
				if !strings.Contains(said, text) {
					t.Errorf("%q is missing in %s", text, said)
				}
			}
			got := decode[operate.AuditResult](t, w.call("audit", "--json").out)
			if !got.Clean || len(got.Risks) != min(len(c.says), 1) || strings.Contains(said, "At risk") != (len(c.says) > 0) {
				t.Errorf("risks: %q; %s", got.Risks, said)
			}
		})
	}
}
