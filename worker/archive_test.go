package worker_test

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"golang.org/x/sync/errgroup"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/icims/icimstest"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
	"github.com/seekout/icims-export/tasks/input"
)

// asynq keeps an archived task for 90 days at most. The ledger keeps its dead letter until it is
// retried or discarded.
func TestDeadLettersOutliveTheirArchivedTasks(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{sim: calm()})
	r.sim.AddRule(icimstest.Rule{Route: "people.create", Fault: icimstest.StatusBefore, Status: 400, Code: 4, Times: -1})
	id := r.send(input.ToJob(job), input.Options{}, people(3)...)
	archived := func() int {
		info, err := r.inspector().GetQueueInfo(express)
		if err != nil {
			return -1
		}
		return info.Archived
	}
	r.eventually("all are archived", func() bool { return archived() == 3 })
	r.sim.ClearRules()

	n, err := tasks.NewQueues(r.redis, 0).TrimArchives(t.Context(), customer, time.Now().Add(61*24*time.Hour))
	r.must(err)
	if left := archived(); n != 3 || left != 0 {
		t.Fatalf("after 61 days %d tasks are trimmed and %d left", n, left)
	}
	dead := func() (exports []string) {
		r.must(r.ledger.DeadLetters.Each(t.Context(), customer, store.DeadFilter{}, func(d store.DeadLetter) bool {
			exports = append(exports, d.Export)
			return true
		}))
		return exports
	}
	letters := dead()
	if len(letters) != 3 {
		t.Fatalf("%d dead letters are listed", len(letters))
	}

	service := admin.New(admin.Config{Redis: r.redis, Ledger: r.ledger})
	choice := admin.DeadChoice{Customers: []string{customer}, Exports: letters[1:2]}
	if done, err := service.DeadLetters.Retry(t.Context(), choice, admin.DeadOrder{Who: "an operator", Why: "the field is corrected"}); err != nil || done.Done != 1 {
		t.Fatalf("retried %+v, %v", done, err)
	}
	r.eventually("the retried export is done", func() bool {
		return slices.ContainsFunc(r.outcomes(id), func(o store.Outcome) bool { return o.Export == letters[1] && o.State == store.Done })
	})
	if got := dead(); !slices.Equal(got, []string{letters[0], letters[2]}) {
		t.Errorf("dead letters %v remain of %v", got, letters)
	}
	// A refusal that names no field is followed by creates without the collections, then without one
	// more of the three optional fields each.
	if made := r.calls("people.create"); made != 3*5+1 {
		t.Errorf("%d creates", made)
	}
	r.clean()
}

func TestTheSweepTrimsArchivesOfCustomersWithoutWork(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{sim: calm(), stopped: true})
	// A customer with a past export and no work.
	r.start()
	r.run(input.ToJob(job), input.Options{}, ana())
	r.worker.Stop()
	r.archive(express, 5_010)
	r.worker = r.newWorker(nil)
	r.start()
	r.eventually("the archives are trimmed", func() bool {
		info, err := r.inspector().GetQueueInfo(express)
		return err == nil && info.Archived == 5_000
	})
}

// archive puts foreign tasks into the archive of a queue.
func (r *rig) archive(queue string, n int) {
	r.t.Helper()
	client := asynq.NewClientFromRedisClient(r.redis)
	var group errgroup.Group
	group.SetLimit(16)
	for i := range n {
		group.Go(func() error {
			_, err := client.EnqueueContext(r.t.Context(), asynq.NewTask("test", nil), asynq.Queue(queue), asynq.TaskID(strconv.Itoa(i)))
			return err
		})
	}
	r.must(group.Wait())
	if archived, err := r.inspector().ArchiveAllPendingTasks(queue); archived != n || err != nil {
		r.t.Fatalf("%d tasks archived, %v", archived, err)
	}
}
