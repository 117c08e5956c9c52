package store_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
)

func TestPause(t *testing.T) {
	t.Parallel()
	redistest.EachBackend(t, func(t *testing.T, client redis.UniversalClient) {
		b := openBook(t, client, store.BatchSpec{})
		ctx := t.Context()
		told := b.Lanes.Announcements(ctx)
		awaitSubscriber(t, client)

		current := func() *store.Pause {
			t.Helper()
			p, err := b.Lanes.PauseOf(ctx, customer)
			if err != nil {
				t.Fatal(err)
			}
			return p
		}
		if p := current(); p != nil {
			t.Errorf("paused from the start: %+v", p)
		}
		at := time.Now().Truncate(time.Millisecond)
		open := store.Pause{By: "maria", Why: "their go-live of 4 May", At: at}
		if err := b.Lanes.Pause(ctx, customer, open); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(&open, current()); diff != "" {
			t.Errorf("until resumed: %s", diff)
		}
		if a := <-told; a.Customer != customer || !a.Changed {
			t.Errorf("workers were told %+v", a)
		}
		later := store.Pause{By: "joe", Why: "an hour more", At: at, Until: at.Add(time.Hour)}
		if err := b.Lanes.Pause(ctx, customer, later); err != nil {
			t.Fatal(err)
		}
		<-told
		if diff := cmp.Diff(&later, current()); diff != "" {
			t.Errorf("a later pause takes its place: %s", diff)
		}
		for _, value := range client.HGetAll(ctx, "ix:{"+customer+"}:pause").Val() {
			if strings.Contains(value, "joe") || strings.Contains(value, "hour") {
				t.Errorf("in clear: %q", value)
			}
		}
		if err := b.Lanes.Pause(ctx, customer, store.Pause{By: "joe", At: at, Until: at.Add(-time.Second)}); err != nil {
			t.Fatal(err)
		}
		<-told
		if p := current(); p != nil {
			t.Errorf("paused until a time that is over: %+v", p)
		}

		if err := b.Lanes.Pause(ctx, customer, open); err != nil {
			t.Fatal(err)
		}
		<-told
		if ended, err := b.Lanes.Resume(ctx, customer, "maria", "they are live"); !ended || err != nil {
			t.Errorf("resume: %v, %v", ended, err)
		}
		<-told
		if ended, err := b.Lanes.Resume(ctx, customer, "maria", "again"); ended || err != nil {
			t.Errorf("resume without a pause: %v, %v", ended, err)
		}
		if p := current(); p != nil {
			t.Errorf("paused after the resume: %+v", p)
		}
		actions, _, err := b.AuditLog.Actions(ctx, customer, 10)
		if events, err := b.AuditLog.Events(ctx, customer, 10); err != nil || len(events) != 5 || events[0].Kind != "resumed" || events[4].Kind != "paused" {
			t.Errorf("events %+v, %v", events, err)
		}
		if err != nil || len(actions) != 5 || actions[0].What != "resumed" || actions[0].Why != "they are live" || actions[4].What != "paused" {
			t.Errorf("actions %+v, %v", actions, err)
		}
	})
}

// The sweep ends an expired pause, and pauses asynq's queues if the record does not say they are
// paused.
func TestPausesInTheSweep(t *testing.T) {
	t.Parallel()
	clock := newClock(t)
	b := openBookAt(t, clock.client, store.BatchSpec{}, store.WithSimulatedClock())
	ctx := t.Context()
	listed := func(want ...string) {
		t.Helper()
		if got, err := b.Lanes.PausedCustomers(ctx); err != nil || !slices.Equal(got, want) {
			t.Errorf("listed %v, %v, want %v", got, err, want)
		}
	}
	record := func() (*store.Pause, bool) {
		t.Helper()
		p, queues, err := b.Lanes.PauseRecord(ctx, customer)
		if err != nil {
			t.Fatal(err)
		}
		return p, queues
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(b.Lanes.RecordQueuesPaused(ctx, customer))
	if p, queues := record(); p != nil || queues {
		t.Errorf("without a pause: %+v, %t", p, queues)
	}
	pause := store.Pause{By: "ana", Until: clock.now.Add(time.Minute)}
	must(b.Lanes.Pause(ctx, customer, pause))
	listed(customer)
	if p, queues := record(); p == nil || queues {
		t.Errorf("after the pause: %+v, %t", p, queues)
	}
	must(b.Lanes.RecordQueuesPaused(ctx, customer))
	must(b.Lanes.EndPause(ctx, customer)) // it has not expired
	if p, queues := record(); p == nil || !queues {
		t.Errorf("once noted: %+v, %t", p, queues)
	}

	clock.pass(2 * time.Minute)
	if p, _ := record(); p == nil || !p.Over(clock.now) {
		t.Errorf("over: %+v", p)
	}
	// An operator pauses again while the sweep ends the expired pause.
	must(b.Lanes.Pause(ctx, customer, store.Pause{By: "ben"}))
	must(b.Lanes.EndPause(ctx, customer))
	if p, queues := record(); p == nil || p.By != "ben" || queues {
		t.Errorf("the later pause: %+v, %t", p, queues)
	}
	must(b.Lanes.Pause(ctx, customer, pause))
	must(b.Lanes.EndPause(ctx, customer))
	if p, queues := record(); p != nil || queues {
		t.Errorf("ended: %+v, %t", p, queues)
	}
	listed()
	if events, err := b.AuditLog.Events(ctx, customer, 10); err != nil || len(events) != 4 || events[0].Kind != "resumed" {
		t.Errorf("events %+v, %v", events, err)
	}
}

// awaitSubscriber waits until announcements arrive.
func awaitSubscriber(t *testing.T, client redis.UniversalClient) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; {
		n, err := client.Publish(t.Context(), "ix:lanes:nobody", "").Result()
		if err != nil {
			t.Fatal(err)
		}
		counts, err := client.PubSubNumSub(t.Context(), "{ix:lanes}:announced").Result()
		if err != nil {
			t.Fatal(err)
		}
		if n+counts["{ix:lanes}:announced"] > 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal("no subscriber")
		}
	}
}
