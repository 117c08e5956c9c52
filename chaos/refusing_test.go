package chaos_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
	"github.com/seekout/icims-export/tasks"
)

// TestRedisRefusesWrites makes Redis refuse all writes during a batch.
func TestRedisRefusesWrites(t *testing.T) {
	if testing.Short() {
		t.Skip("takes half a minute each")
	}
	for _, tc := range []struct {
		name        string
		begin, undo []string // for CONFIG SET, or a command
		message     string   // log message of workers and producers
		orBefore    []string // or all of these, of producers that refuse before Redis does
		remedy      string
	}{
		{"out of memory", []string{"CONFIG", "SET", "maxmemory", "1mb"}, []string{"CONFIG", "SET", "maxmemory", "0"},
			"OOM", []string{"of its memory", "no candidates are accepted"}, "Raise "},
		{"read-only, as a replica", []string{"REPLICAOF", "127.0.0.1", "1"}, []string{"REPLICAOF", "NO", "ONE"}, "READONLY", nil, "at the master"},
		{"without enough replicas", []string{"CONFIG", "SET", "min-replicas-to-write", "1"}, []string{"CONFIG", "SET", "min-replicas-to-write", "0"},
			"NOREPLICAS", nil, "Start the replicas"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			server := redistest.Start(t, redistest.AppendOnly("everysec"))
			client := server.Client(t)
			r := newRig(t, rigOptions{redisURL: server.URL(), client: client, workers: 2, seed: 1, callsPerSecond: 25, chunk: 50})
			everyone := newCrowd(rand.New(rand.NewPCG(1, 1)), 200)
			r.sim.seedPeople(everyone.present)
			last := len(everyone.deliveries) - 1
			var receipts []tasks.Receipt
			for _, d := range everyone.deliveries[:last] {
				receipts = append(receipts, r.sendSurely(t, d))
			}
			r.awaitStarted(t, receipts, 20)

			r.do(t, client, tc.begin...)
			late := newProducer(r, everyone.deliveries[last])
			if _, err := late.try(t.Context(), -1); err == nil {
				t.Error("a batch was accepted that cannot be kept")
			}
			errors := r.log(t, "producer-"+late.delivery.key)
			if !strings.Contains(errors, tc.message) && !containsAll(errors, tc.orBefore) {
				t.Errorf("the producer does not say what is wrong: %s", errors)
			}
			if !containsAll(errors, []string{tc.remedy, "send the file again with the same idempotency key"}) {
				t.Errorf("the producer does not say what to do: %s", errors)
			}
			if strings.Contains(errors, "@example.com") {
				t.Errorf("the producer tells addresses: %s", errors)
			}
			eventually(t, 20*time.Second, "all workers meet the refusal and go on", func() error { return r.waiting(t, tc.message) })
			// Longer than a lease, so that claims expire.
			<-time.After(lease + 2*time.Second)
			for _, w := range r.workers {
				if !w.Running() {
					t.Errorf("%s ended", w.Name)
				}
			}
			r.do(t, client, tc.undo...)

			receipts = append(receipts, r.sendSurely(t, everyone.deliveries[last]))
			unfinished := r.await(batchesOf(receipts), 2*time.Minute)
			r.stopWorkers()
			r.sim.calls(r.dir)
			check(t, r, everyone, receipts, circumstances{unfinished: unfinished})
		})
	}
}

// containsAll reports whether a text contains all parts, and there is at least one.
func containsAll(text string, parts []string) bool {
	return len(parts) > 0 && !slices.ContainsFunc(parts, func(part string) bool { return !strings.Contains(text, part) })
}

func batchesOf(receipts []tasks.Receipt) []store.BatchID {
	ids := make([]store.BatchID, len(receipts))
	for i, receipt := range receipts {
		ids[i] = receipt.Batch
	}
	return ids
}

// newProducer returns a producer without interruptions.
func newProducer(r *rig, d delivery) *producer {
	return &producer{rig: r, delivery: d, rng: rand.New(rand.NewPCG(1, 1)), killed: new(atomic.Int64), failed: new(atomic.Int64)}
}

// sendSurely submits a batch.
func (r *rig) sendSurely(t *testing.T, d delivery) tasks.Receipt {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	receipt, err := newProducer(r, d).send(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return receipt
}

func (r *rig) do(t *testing.T, client redis.UniversalClient, command ...string) {
	t.Helper()
	args := make([]any, len(command))
	for i, word := range command {
		args[i] = word
	}
	if err := client.Do(t.Context(), args...).Err(); err != nil {
		t.Fatalf("%s: %v", strings.Join(command, " "), err)
	}
}

// awaitStarted waits until some exports have ended and some have not.
func (r *rig) awaitStarted(t *testing.T, receipts []tasks.Receipt, ended int) {
	t.Helper()
	total := 0
	for _, receipt := range receipts {
		total += receipt.Accepted
	}
	eventually(t, time.Minute, "the work has begun", func() error {
		if pending, ok := r.pending(batchesOf(receipts)); !ok || total-pending < ended {
			return errors.New("not yet")
		}
		return nil
	})
}

// log returns a process's log.
func (r *rig) log(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(r.dir, name+".log"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// waiting reports whether each worker has logged Redis's refusal.
func (r *rig) waiting(t *testing.T, message string) error {
	for _, w := range r.workers {
		if !strings.Contains(r.log(t, w.Name), message) {
			return errors.New(w.Name + " has not met it")
		}
	}
	return nil
}
