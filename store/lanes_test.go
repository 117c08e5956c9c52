package store_test

import (
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
)

func TestLanes(t *testing.T) {
	t.Parallel()
	redistest.EachBackend(t, func(t *testing.T, client redis.UniversalClient) {
		for name, spec := range map[string]func(*lanesBook){
			"a customer that rests is wanted when its time comes, and no earlier":  restingCustomer,
			"an announcement wakes a customer that rests":                          announcementWakes,
			"hastening wakes one that rests, and lists none that has no work":      hastening,
			"a rest is never longer than ten minutes":                              longRest,
			"an announcement between reading and resting wins, however close":      closeAnnouncements,
			"nothing is lost where announcements race the closing":                 announcementsRaceTheClosing,
			"a worker that beats knows the others, and when one has fallen silent": registryOfWorkers,
		} {
			t.Run(name, func(t *testing.T) {
				if _, err := client.Del(t.Context(), "ix:lanes").Result(); err != nil {
					t.Fatal(err)
				}
				spec(&lanesBook{openBook(t, client, store.BatchSpec{})})
			})
		}
	})
}

type lanesBook struct{ *book }

func (b *lanesBook) announce(customers ...string) {
	b.t.Helper()
	for _, c := range customers {
		if err := b.Lanes.Announce(b.t.Context(), c); err != nil {
			b.t.Fatal(err)
		}
	}
}

func (b *lanesBook) now() time.Time {
	b.t.Helper()
	now, err := b.Now(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	return now
}

// wanted lists the customers that want a lane before a time.
func (b *lanesBook) wanted(by time.Time) []string {
	b.t.Helper()
	listed, err := b.Lanes.Wanted(b.t.Context(), by)
	if err != nil {
		b.t.Fatal(err)
	}
	customers := make([]string, len(listed))
	for i, a := range listed {
		customers[i] = a.Customer
	}
	slices.Sort(customers)
	return customers
}

func (b *lanesBook) listed(customer string) store.Announced {
	b.t.Helper()
	listed, err := b.Lanes.AnnouncedOf(b.t.Context(), customer, "99")
	if err != nil {
		b.t.Fatal(err)
	}
	if _, found := listed["99"]; found {
		b.t.Error("a customer that was never announced is listed")
	}
	return listed[customer]
}

func (b *lanesBook) rest(a store.Announced, until time.Time) bool {
	b.t.Helper()
	rests, err := b.Lanes.Postpone(b.t.Context(), a, until)
	if err != nil {
		b.t.Fatal(err)
	}
	return rests
}

func (b *lanesBook) expect(what string, got []string, want ...string) {
	b.t.Helper()
	if !slices.Equal(got, want) {
		b.t.Errorf("%s: %v, want %v", what, got, want)
	}
}

func restingCustomer(b *lanesBook) {
	b.announce("1", "2")
	until := b.now().Add(5 * time.Minute)
	if !b.rest(b.listed("1"), until) {
		b.t.Error("it does not rest")
	}
	b.expect("now", b.wanted(b.now()), "2")
	b.expect("a moment before", b.wanted(until.Add(-time.Second)), "2")
	b.expect("then", b.wanted(until), "1", "2")
	if all, err := b.Lanes.Announced(b.t.Context()); len(all) != 2 || err != nil {
		b.t.Errorf("listed: %v, %v", all, err)
	}
}

func announcementWakes(b *lanesBook) {
	b.announce("1")
	b.rest(b.listed("1"), b.now().Add(time.Minute))
	b.announce("1")
	b.expect("now", b.wanted(b.now()), "1")
}

func hastening(b *lanesBook) {
	b.announce("1")
	b.rest(b.listed("1"), b.now().Add(time.Minute))
	for _, c := range []string{"1", "2"} {
		if err := b.Lanes.Wake(b.t.Context(), c); err != nil {
			b.t.Fatal(err)
		}
	}
	b.expect("now", b.wanted(b.now()), "1")
	b.expect("ever", b.wanted(b.now().Add(time.Hour)), "1")
}

func longRest(b *lanesBook) {
	b.announce("1")
	b.rest(b.listed("1"), b.now().Add(20*time.Hour))
	b.expect("in ten minutes", b.wanted(b.now().Add(10*time.Minute)), "1")
}

func closeAnnouncements(b *lanesBook) {
	const times = 200 // several per millisecond, on any machine
	for range times {
		b.announce("1")
		read := b.listed("1")
		b.announce("1")
		if b.rest(read, b.now().Add(time.Minute)) {
			b.t.Fatal("it rests although it was announced since")
		}
		if gone, err := b.Lanes.Withdraw(b.t.Context(), read); gone || err != nil {
			b.t.Fatalf("it was withdrawn although it was announced since: %v, %v", gone, err)
		}
	}
	if gone, err := b.Lanes.Withdraw(b.t.Context(), b.listed("1")); !gone || err != nil {
		b.t.Errorf("not withdrawn: %v, %v", gone, err)
	}
}

// A closing lane reads the list, then looks for work, and rests only if it finds none. Producers
// enqueue before they announce. Whatever the interleaving, a customer with work always wants a
// lane.
func announcementsRaceTheClosing(b *lanesBook) {
	const producers, each = 4, 100
	var working sync.WaitGroup
	for range producers {
		working.Go(func() {
			for range each {
				if err := b.redis.Incr(b.t.Context(), "work").Err(); err != nil {
					b.t.Error(err)
				}
				if err := b.Lanes.Announce(b.t.Context(), "1"); err != nil {
					b.t.Error(err)
				}
			}
		})
	}
	finished := make(chan struct{})
	go func() { working.Wait(); close(finished) }()
	done, closed := 0, 0
	for last := false; ; {
		select {
		case <-finished:
			last = true
		default:
		}
		if len(b.wanted(b.now())) == 0 {
			if last {
				break
			}
			continue // no lane is open
		}
		read := b.listed("1")
		n, err := b.redis.GetDel(b.t.Context(), "work").Int()
		switch {
		case err == nil:
			done += n
		case closed%2 == 0:
			if b.rest(read, b.now().Add(time.Minute)) {
				closed++
			}
		default:
			gone, err := b.Lanes.Withdraw(b.t.Context(), read)
			if err != nil {
				b.t.Fatal(err)
			}
			if gone {
				closed++
			}
		}
	}
	if done != producers*each {
		b.t.Errorf("%d of %d were done when no customer wanted a lane, after %d closings", done, producers*each, closed)
	}
}

func registryOfWorkers(b *lanesBook) {
	ctx := b.t.Context()
	if _, err := b.Workers.Beat(ctx, store.Peer{Worker: "a", Lanes: 3, Free: 7, Refuses: []string{"12", "13"}}); err != nil {
		b.t.Fatal(err)
	}
	fleet, err := b.Workers.Beat(ctx, store.Peer{Worker: "b", Free: -1})
	if err != nil {
		b.t.Fatal(err)
	}
	a, other := fleet.Workers["a"], fleet.Workers["b"]
	if len(fleet.Workers) != 2 || a.Lanes != 3 || a.Free != 7 || !slices.Equal(a.Refuses, []string{"12", "13"}) || other.Free != -1 || len(other.Refuses) != 0 {
		b.t.Errorf("fleet %+v", fleet)
	}
	if !fleet.Lives("a") || !fleet.Lives("b") || fleet.Lives("c") {
		b.t.Errorf("fleet %+v", fleet)
	}
	fleet.Now = fleet.Now.Add(10 * time.Second)
	if fleet.Lives("a") {
		b.t.Error("a worker lives that has not beaten for ten seconds")
	}
	silent := func(d time.Duration) string { return strconv.FormatInt(fleet.Now.Add(-d).UnixMilli(), 10) + " 0 7  " }
	if err := b.redis.HSet(ctx, "ix:workers", "a", silent(50*time.Second), "b", silent(2*time.Minute)).Err(); err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.Workers.Beat(ctx, store.Peer{Worker: "c"}); err != nil {
		b.t.Fatal(err)
	}
	if fleet, err = b.Workers.Fleet(ctx); err != nil || len(fleet.Workers) != 2 || fleet.Workers["b"].Worker != "" {
		b.t.Errorf("one that has been silent for two minutes stays, or one silent for less goes: %+v, %v", fleet, err)
	}
	if err := b.Workers.Leave(ctx, "c"); err != nil {
		b.t.Fatal(err)
	}
	if _, err := b.Workers.Beat(ctx, store.Peer{Worker: "a"}); err != nil {
		b.t.Fatal(err)
	}
	if err := b.Workers.Leave(ctx, "a"); err != nil {
		b.t.Fatal(err)
	}
	if fleet, err = b.Workers.Fleet(ctx); err != nil || len(fleet.Workers) != 0 {
		b.t.Errorf("after it left: %+v, %v", fleet, err)
	}
}
