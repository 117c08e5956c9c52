package worker

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/seekout/icims-export/store"
)

// fleetOf returns a registry of live workers with free lanes.
func fleetOf(workers ...string) store.Fleet {
	f := store.Fleet{Now: time.Now(), Workers: map[string]store.Peer{}}
	for _, w := range workers {
		f.Workers[w] = store.Peer{Worker: w, Beat: f.Now, Free: 1}
	}
	return f
}

func change(f store.Fleet, worker string, how func(*store.Peer)) {
	p := f.Workers[worker]
	how(&p)
	f.Workers[worker] = p
}

// servers lists the workers on which a customer without a lane is placed.
func servers(f store.Fleet, customer string) []string {
	var list []string
	for w := range f.Workers {
		if placed(f, w, customer, false) {
			list = append(list, w)
		}
	}
	slices.Sort(list)
	return list
}

func TestPlacement(t *testing.T) {
	t.Parallel()

	t.Run("two workers per customer; full and unreachable ones rank last", func(t *testing.T) {
		t.Parallel()
		rapid.Check(t, func(t *rapid.T) {
			var names []string
			for i := range rapid.IntRange(1, 6).Draw(t, "workers") {
				names = append(names, "worker-"+strconv.Itoa(i))
			}
			f, customer := fleetOf(names...), strconv.Itoa(rapid.IntRange(1, 9999).Draw(t, "customer"))
			able, room, unreachable := 0, 0, 0
			for _, name := range names {
				state := rapid.SampledFrom([]string{"well", "well", "full", "silent", "leaves", "refuses", "unreachable"}).Draw(t, name)
				change(f, name, func(p *store.Peer) {
					switch state {
					case "full":
						p.Free = 0
					case "silent":
						p.Beat = f.Now.Add(-time.Minute)
					case "leaves":
						p.Free = -1
					case "refuses":
						p.Refuses = []string{customer}
					case "unreachable":
						p.Unreachable = []string{customer}
					}
				})
				if state == "unreachable" {
					unreachable++
				}
				if state == "well" {
					room++
				}
				if state == "well" || state == "full" {
					able++
				}
			}
			if able == 0 { // no worker reaches iCIMS, so one has to keep trying
				able, room = unreachable, unreachable
			}
			chosen := servers(f, customer)
			if len(chosen) != min(able, servedBy) {
				t.Fatalf("served by %v of %d able workers", chosen, able)
			}
			full := 0
			for _, name := range chosen {
				p := f.Workers[name]
				if !f.Lives(name) || p.Free < 0 || len(p.Refuses) > 0 {
					t.Errorf("placed on %+v", p)
				}
				if p.Free == 0 {
					full++
				}
			}
			if want := max(min(able, servedBy)-room, 0); full != want {
				t.Errorf("placed on %d full workers, with room in %d", full, room)
			}
		})
	})

	const customers = 3000
	t.Run("customers are distributed evenly", func(t *testing.T) {
		t.Parallel()
		f := fleetOf("a", "b", "c", "d", "e")
		share := map[string]int{}
		for c := range customers {
			for _, w := range servers(f, strconv.Itoa(100000+c)) {
				share[w]++
			}
		}
		for w, n := range share {
			if even := customers * servedBy / len(f.Workers); n < even*85/100 || n > even*115/100 {
				t.Errorf("worker %s has %d, an even share is %d", w, n, even)
			}
		}
	})

	t.Run("a leaving worker moves only its own customers", func(t *testing.T) {
		t.Parallel()
		before, after := fleetOf("a", "b", "c", "d"), fleetOf("a", "b", "c")
		for c := range customers {
			customer := strconv.Itoa(100000 + c)
			was := servers(before, customer)
			for _, w := range was {
				if w != "d" && !placed(after, w, customer, true) {
					t.Fatalf("customer %s moves away from %s: %v, then %v", customer, w, was, servers(after, customer))
				}
			}
		}
	})

	t.Run("a worker keeps the customer that filled it", func(t *testing.T) {
		t.Parallel()
		for c := range customers {
			customer, f := strconv.Itoa(c), fleetOf("a", "b", "c", "d")
			for _, w := range servers(f, customer) {
				change(f, w, func(p *store.Peer) { p.Free = 0 })
				if !placed(f, w, customer, true) {
					t.Fatalf("%s loses customer %s", w, customer)
				}
				change(f, w, func(p *store.Peer) { p.Free = 1 })
			}
		}
	})

	t.Run("an unregistered worker serves no customer", func(t *testing.T) {
		t.Parallel()
		if placed(fleetOf("a"), "b", "1234", false) {
			t.Error("it serves a customer")
		}
	})
}
