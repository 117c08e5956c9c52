package scaling_test

import (
	"fmt"
	"strconv"
	"testing"
	"time"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
)

// BenchmarkFleet measures the keys that all customers and processes share: in a cluster, one node
// holds them all.
func BenchmarkFleet(b *testing.B) {
	const (
		processes = 200
		listed    = 10_000 // customers with work
		times     = 1000
	)
	for b.Loop() {
		server := redistest.Start(b)
		watch := server.Client(b)
		keys, err := store.NewKeyset()
		if err != nil {
			b.Fatal(err)
		}
		ledger := store.NewLedger(server.Client(b), keys)
		for i := range listed {
			if err := ledger.Lanes.Announce(b.Context(), strconv.Itoa(10_000+i)); err != nil {
				b.Fatal(err)
			}
		}
		for i := range processes {
			if _, err := ledger.Workers.Beat(b.Context(), store.Peer{Worker: fmt.Sprint("worker", i), Lanes: 100, Free: 100}); err != nil {
				b.Fatal(err)
			}
		}
		now, err := ledger.Now(b.Context())
		if err != nil {
			b.Fatal(err)
		}
		measure := func(name string, n int, do func(i int) error) {
			before := loadOf(b, watch)
			for i := range n {
				if err := do(i); err != nil {
					b.Fatal(err)
				}
			}
			loadOf(b, watch).since(before).per(float64(n)).brief(name)
		}
		measure(fmt.Sprintf("beat of one of %d processes", processes), times, func(i int) error {
			_, err := ledger.Workers.Beat(b.Context(), store.Peer{Worker: fmt.Sprint("worker", i%processes), Lanes: 100, Free: 100})
			return err
		})
		measure("announcement", times, func(i int) error { return ledger.Lanes.Announce(b.Context(), strconv.Itoa(10_000+i)) })
		measure("look that finds nobody", times, func(int) error {
			_, err := ledger.Lanes.Wanted(b.Context(), time.UnixMilli(1))
			return err
		})
		measure(fmt.Sprintf("look that finds %d customers", listed), times/10, func(int) error {
			found, err := ledger.Lanes.Wanted(b.Context(), now.Add(time.Hour))
			if len(found) != listed {
				b.Fatalf("%d customers are listed", len(found))
			}
			return err
		})
	}
}
