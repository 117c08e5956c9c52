package scaling_test

import (
	"fmt"
	"maps"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/seekout/icims-export/bench/figures"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/worker"
)

const (
	span    = 15 * time.Second // how long idle systems are observed
	settled = 3 * time.Second  // until they are idle
	paced   = 20               // customers of a rate-limited run
	each    = 100              // exports of each of them
)

func staysOpen(s *worker.Settings) { s.LaneIdle = time.Hour }

// over returns Redis's load per second over a period.
func (r *rig) over(d time.Duration) load {
	start, begin := loadOf(r.b, r.watch), time.Now()
	<-time.After(d)
	return loadOf(r.b, r.watch).since(start).per(time.Since(begin).Seconds())
}

// BenchmarkIdle measures a process without work, and one with idle open lanes.
func BenchmarkIdle(b *testing.B) {
	for b.Loop() {
		r := newRig(b, 50, unlimited, staysOpen)
		r.start()
		<-time.After(settled)
		alone, goroutines, memory := r.over(span), runtime.NumGoroutine(), memoryInUse()
		all, subscribed := connections(b, r.watch)
		alone.note("process without lanes", "/s")
		results.Say("  connections, of which subscribe", fmt.Sprintf("%d, %d", all, subscribed))

		n := float64(len(r.customers))
		r.await(r.sendAll(1)...)
		<-time.After(settled)
		r.over(span).less(alone, 1).per(n).note("open lane in which nothing happens", "/s")
		lanes, laneSubscribed := connections(b, r.watch)
		results.Note("  connections that subscribe, each lane", figures.Exactly(float64(laneSubscribed-subscribed)/n), "%.2f", "")
		results.Say("  other connections of the process", fmt.Sprint(lanes-laneSubscribed))
		results.Note("  Redis memory, each connection", figures.Exactly(number(b, infoLines(b, r.watch, "memory")["mem_clients_normal"])/float64(lanes)), "%.0f", " B")
		results.Note("  goroutines, each lane", figures.Exactly(float64(runtime.NumGoroutine()-goroutines)/n), "%.1f", "")
		const kB = 1000
		results.Note("  memory of the process, each lane", figures.Exactly((memoryInUse()-memory)/n/kB), "%.0f", " kB")
	}
}

// memoryInUse returns the memory of this process after a collection, including the simulator.
func memoryInUse() float64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapInuse + m.StackInuse)
}

func (r *rig) sendAll(rows int) []store.BatchID {
	batches := make([]store.BatchID, len(r.customers))
	for i, customer := range r.customers {
		batches[i] = r.send(customer, rows)
	}
	return batches
}

// BenchmarkCommands counts Redis's work per export: limited by the customers' rate, as is usual,
// and at full speed.
func BenchmarkCommands(b *testing.B) {
	for b.Loop() {
		const perSecond = 20
		r := newRig(b, paced, perSecond, staysOpen)
		r.start()
		r.await(r.sendAll(1)...)
		<-time.After(settled)
		idle := r.over(settled)
		before, begin := loadOf(b, r.watch), time.Now()
		r.await(r.sendAll(each)...)
		seconds := time.Since(begin).Seconds()
		loadOf(b, r.watch).since(before).less(idle, seconds).per(paced*each).note(fmt.Sprintf("export at %d calls/s a customer", perSecond), "")
		results.Note("  exports/s", figures.Exactly(paced*each/seconds), "%.1f", "")

		r = newRig(b, 1, unlimited, staysOpen)
		r.start()
		r.await(r.sendAll(1)...)
		before, begin = loadOf(b, r.watch), time.Now()
		r.await(r.sendAll(paced * each)...)
		seconds = time.Since(begin).Seconds()
		loadOf(b, r.watch).since(before).per(paced*each).note("export at full speed", "")
		results.Note("  exports/s", figures.Exactly(paced*each/seconds), "%.0f", "")
	}
}

// BenchmarkLeftovers measures the Redis memory of ended exports, by batch size.
func BenchmarkLeftovers(b *testing.B) {
	const total = 10_000
	for b.Loop() {
		for _, size := range []int{100, 1000, total} {
			r := newRig(b, 1, unlimited, nil)
			r.start()
			var batches []store.BatchID
			for range total / size {
				batches = append(batches, r.send(r.customers[0], size))
			}
			r.await(batches...)
			left := bytesByKind(b, r.watch)
			sum := 0.0
			for _, bytes := range left {
				sum += bytes
			}
			results.Note(fmt.Sprintf("ended export, batches of %d", size), figures.Exactly(sum/total), "%.0f", " B")
			for _, kind := range slices.Sorted(maps.Keys(left)) {
				if bytes := left[kind] / total; bytes >= 1 {
					results.Note("  "+kind, figures.Exactly(bytes), "%.0f", " B")
				}
			}
		}
	}
}
