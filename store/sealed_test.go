package store_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
)

// After a sealing key was lost and abandoned, its values are marked and the rest stays readable.
func TestUnreadableValuesHideNothingElse(t *testing.T) {
	t.Parallel()
	client := redistest.Shared(t).Client(t)
	lost, b := openBook(t, client, store.BatchSpec{}), openBook(t, client, store.BatchSpec{})
	ref := lost.accept("a", "a@example.com")
	for _, by := range []*book{lost, b} {
		for _, what := range []string{"first", "second"} {
			if err := by.AuditLog.Act(t.Context(), customer, store.Action{At: time.Now(), Who: "ana", What: what}); err != nil {
				t.Fatal(err)
			}
		}
	}
	actions, closed, err := b.AuditLog.Actions(t.Context(), customer, 10)
	if err != nil || closed != 2 || len(actions) != 2 || actions[0].What != "second" {
		t.Errorf("actions: %+v, %d closed, %v", actions, closed, err)
	}

	c := lost.claimed(ref)
	lost.finish(c, store.Finish{To: store.Dead, Counter: store.CountDead, Reason: "icims_server_error", Entry: &store.Entry{What: "dead"}})
	other := b.accept("b", "b@example.com")
	b.finish(b.claimed(other), store.Finish{To: store.Dead, Counter: store.CountDead, Reason: "icims_server_error", Entry: &store.Entry{What: "dead"}})
	last, err := b.DeadLetters.LastEntries(t.Context(), customer, []string{ref.Export, "none", other.Export})
	if err != nil || len(last) != 3 || last[0] == nil || last[0].What != store.WhatSealed || last[1] != nil || last[2] == nil || last[2].What != "dead" {
		t.Errorf("last entries: %+v, %v", last, err)
	}
	if err := b.DeadLetters.Revive(t.Context(), ref, "ana", "again"); err != nil {
		t.Fatal(err)
	}
	story, err := b.Timeline(t.Context(), ref)
	var whats []string
	for _, e := range story {
		whats = append(whats, e.What)
	}
	if diff := cmp.Diff([]string{store.WhatSealed, "retried"}, whats); diff != "" || err != nil {
		t.Errorf("timeline (-want +got):\n%s%v", diff, err)
	}
}

// An export in progress while markers are erased leaves no marker; one that starts later does.
func TestExportInProgressLeavesNoMarkerAfterErasure(t *testing.T) {
	t.Parallel()
	b := openBook(t, redistest.Shared(t).Client(t), store.BatchSpec{})
	done := func(c *store.Claim) {
		b.finish(c, store.Finish{To: store.Done, Counter: store.CountCreated, Person: 17})
	}
	inWork, waits, putOff := b.claimed(b.accept("in work", "a@example.com")), b.accept("waits", "b@example.com"), b.accept("put off", "c@example.com")
	b.hold(b.claimed(putOff), store.Hold{To: store.Retrying, Reason: "icims_server_error"})
	for range 2 {
		if _, err := b.Candidates.EraseMarkers(t.Context(), customer); err != nil {
			t.Fatal(err)
		}
	}
	done(b.claimed(waits))
	done(b.claimed(putOff))
	done(inWork)
	markers, err := b.Candidates.Markers(t.Context(), customer, []string{"in work", "waits", "put off"})
	if _, left := markers["in work"]; left || len(markers) != 2 || err != nil {
		t.Errorf("markers: %+v, %v", markers, err)
	}
	b.auditIsClean()
}

// Lists of jobs and verifications start with the newest one.
func TestUnreadableControlTaskHidesNoLaterOne(t *testing.T) {
	t.Parallel()
	client := redistest.Start(t).Client(t)
	lost, l := store.NewLedger(client, newKeys(t)), store.NewLedger(client, newKeys(t))
	if _, _, err := lost.Control.Record(t.Context(), customer, store.ControlJobs, "all", "ana"); err != nil {
		t.Fatal(err)
	}
	if e, err := l.Control.Last(t.Context(), customer, store.ControlJobs); !errors.Is(err, store.ErrNoControlTask) {
		t.Errorf("last: %+v, %v", e, err)
	}
	if list, err := l.Control.List(t.Context(), customer, store.ControlJobs); err != nil || len(list) != 0 {
		t.Errorf("control tasks: %+v, %v", list, err)
	}
}
