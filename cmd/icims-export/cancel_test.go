package main

import (
	"flag"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/seekout/icims-export/internal/testrig"
	"github.com/seekout/icims-export/store"
)

var toCancel = flag.Int("cancel", 2000, "how many exports TestCancelMany cancels")

func TestCancel(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	batch, ids := w.accept("1234", 1709, 0, 5)
	other, _ := w.accept("1234", 1709, 10, 2)
	w.accept("99", 1709, 20, 2)
	w.makeDead("1234", "job_not_found", testrig.NoJob, ids[0])
	if _, err := w.ledger.Claim(t.Context(), store.Ref{Customer: "1234", Export: ids[1]}, store.ClaimOptions{Lease: time.Minute}); err != nil {
		t.Fatal(err)
	}

	r := w.call("cancel", string(batch), "--dry-run")
	r.wantStatus(t, statusDone)
	r.wantAll(t, "3 exports would be canceled", "1  are making calls", "1  are dead letters")

	w.call("cancel", string(batch)).wantStatus(t, statusUsage)
	w.call("cancel", "--why=x").wantStatus(t, statusUsage)
	w.call("cancel", string(batch), "--customer=1234", "--why=x").wantStatus(t, statusUsage)
	unknown := w.ledger.Keys().BatchID("1234", "never sent")
	w.call("cancel", unknown, "--why=x").wantStatus(t, statusFailed)

	r = w.call("cancel", string(batch), "--why=the wrong list", "--who=ana", "--patience=0s", "--json")
	r.wantStatus(t, statusDone)
	if got := decode[cancelResult](t, r.out); got.Cancelled != 3 || got.Busy != 1 || got.Dead != 1 || got.Who != "ana" || got.Batch != batch {
		t.Errorf("%+v", got)
	}
	r = w.call("cancel", "--customer=1234", "--why=they left", "--patience=0s")
	r.wantAll(t, "2 exports canceled, and the candidates' data purged.")
	if b, err := w.ledger.Batches.Get(t.Context(), other); err != nil || b.Cancelled != 2 || b.Moving() != 0 {
		t.Errorf("%+v, %v", b, err)
	}
	if live, _ := w.ledger.Recovery.Live(t.Context(), "99"); live != 2 {
		t.Errorf("another customer has %d moving exports, want 2", live)
	}
	actions, _, err := w.ledger.AuditLog.Actions(t.Context(), "1234", 10)
	if err != nil || len(actions) != 2 || actions[1].Who != "ana" || actions[1].Why != "the wrong list" || actions[1].Count != 3 || actions[1].What != "canceled batch "+string(batch) {
		t.Errorf("recorded: %+v, %v", actions, err)
	}
	r = w.call("show", "1234", "c-00003")
	r.wantAll(t, "Canceled ", "ana", "the wrong list")
	w.call("audit").wantStatus(t, statusDone)
}

func TestCancelReportsPeopleLeftInICIMS(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	batch, ids := w.accept("1234", 1709, 0, 2)
	c, err := w.ledger.Claim(t.Context(), store.Ref{Customer: "1234", Export: ids[0]}, store.ClaimOptions{Lease: time.Minute, Settle: time.Minute})
	if err == nil {
		err = w.ledger.Step(t.Context(), c, store.Step{To: store.Created, Person: 17})
	}
	if err == nil {
		err = w.ledger.Hold(t.Context(), c, store.Hold{To: store.Retrying, Delay: time.Hour, Reason: "icims_server_error"})
	}
	if err != nil {
		t.Fatal(err)
	}
	r := w.call("cancel", string(batch), "--why=the wrong list", "--patience=0s")
	r.wantAll(t, "2 exports canceled", "1  of them already have a person in iCIMS", "but get no workflow")
}

func TestCancelMany(t *testing.T) {
	t.Parallel()
	many := *toCancel
	w := newWard(t)
	batch, _ := w.accept("1234", 1709, 0, many)
	before := w.scriptCalls()
	r := w.call("cancel", string(batch), "--why=x", "--json")
	r.wantStatus(t, statusDone)
	if got := decode[cancelResult](t, r.out); got.Cancelled != many {
		t.Errorf("%+v", got)
	}
	// Redis runs one script at a time: canceling all at once would block all other clients.
	const mostAtOnce = 500
	if calls := w.scriptCalls() - before; calls < many/mostAtOnce {
		t.Errorf("%d exports were canceled in %d scripts, more than %d in one", many, calls, mostAtOnce)
	}
	if r := w.call("status", string(batch)); r.status != statusDone || !strings.Contains(r.out, "canceled") {
		t.Errorf("the batch has not ended: %d %.300s", r.status, r.out)
	}
	w.call("audit").wantStatus(t, statusDone)
}

// scriptCalls returns how many scripts Redis has run.
func (w *ward) scriptCalls() int {
	w.t.Helper()
	stats, err := w.redis.Info(w.t.Context(), "commandstats").Result()
	if err != nil {
		w.t.Fatal(err)
	}
	m := regexp.MustCompile(`cmdstat_evalsha:calls=(\d+)`).FindStringSubmatch(stats)
	if m == nil {
		return 0
	}
	n, err := strconv.Atoi(m[1])
	if err != nil {
		w.t.Fatal(err)
	}
	return n
}
