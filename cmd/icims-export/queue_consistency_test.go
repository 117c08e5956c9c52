package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hibiken/asynq"
	"github.com/rs/zerolog"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/api"
	"github.com/seekout/icims-export/icims/icimstest"
	"github.com/seekout/icims-export/internal/testrig"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
	"github.com/seekout/icims-export/tasks/input"
)

// made returns candidates that differ in ID and email.
func made(prefix string, n int) []input.Candidate {
	all := make([]input.Candidate, n)
	for i := range all {
		id := fmt.Sprintf("%s-%d", prefix, i)
		all[i] = input.Candidate{ID: id, FirstName: "Made", LastName: "Up", Email: id + "@example.com"}
	}
	return all
}

// enqueued submits a batch of customer 1234, as a producer does.
func (w *ward) enqueued(job int64, candidates ...input.Candidate) store.BatchID {
	w.t.Helper()
	receipt, err := tasks.NewClient(w.redis, w.ledger).Enqueue(w.t.Context(), input.Batch{
		Customer: "1234", Target: input.ToJob(job), Candidates: input.Candidates(candidates...),
	})
	if err != nil || receipt.Accepted != len(candidates) {
		w.t.Fatalf("accepted %d of %d, %v", receipt.Accepted, len(candidates), err)
	}
	return receipt.Batch
}

func (w *ward) batch(id store.BatchID) store.Batch {
	w.t.Helper()
	b, err := w.ledger.Batches.Get(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return b
}

// lane returns customer 1234's lane as the command lists it.
func (w *ward) lane() admin.Lane {
	w.t.Helper()
	for _, l := range decode[admin.LaneList](w.t, w.call("lanes", "--all", "--json").out).Lanes {
		if l.Customer == "1234" {
			return l
		}
	}
	w.t.Fatal("customer 1234 is not listed")
	return admin.Lane{}
}

// queueState is customer 1234's state according to asynq's Inspector.
type queueState struct {
	pending, active, later int
	paused                 map[string]bool
	archived               map[string]*asynq.TaskInfo // by export
}

func (w *ward) inspect() queueState {
	w.t.Helper()
	inspector := asynq.NewInspectorFromRedisClient(w.redis)
	q := queueState{paused: map[string]bool{}, archived: map[string]*asynq.TaskInfo{}}
	queues, err := inspector.Queues()
	if err != nil {
		w.t.Fatal(err)
	}
	for _, name := range queues {
		info, err := inspector.GetQueueInfo(name)
		if err != nil {
			w.t.Fatal(err)
		}
		q.pending, q.active, q.later, q.paused[name] = q.pending+info.Pending, q.active+info.Active, q.later+info.Scheduled+info.Retry, info.Paused
		archived, err := inspector.ListArchivedTasks(name, asynq.PageSize(1000))
		if err != nil {
			w.t.Fatal(err)
		}
		for _, task := range archived {
			_, export, _ := strings.Cut(task.ID, ":")
			q.archived[export] = task
		}
	}
	return q
}

// apiOf serves the API on the ward's Redis, and returns a function that reads from it.
func (w *ward) apiOf() func(path string, into any) {
	w.t.Helper()
	server, err := api.New(api.Deps{Redis: w.redis, Ledger: w.ledger, Producer: tasks.NewClient(w.redis, w.ledger), Log: zerolog.Nop()})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(server.Close)
	_, token, err := w.ledger.Access.NewAPIKey(w.t.Context(), store.APIKey{Name: "a test", Scopes: []string{string(api.ScopeRead)}, By: "a test"}, time.Now())
	if err != nil {
		w.t.Fatal(err)
	}
	return func(path string, into any) {
		w.t.Helper()
		req := httptest.NewRequestWithContext(w.t.Context(), http.MethodGet, path, nil)
		req.Header.Set("Authorization", "Bearer "+token)
		answer := httptest.NewRecorder()
		server.Handler().ServeHTTP(answer, req)
		if answer.Code != http.StatusOK {
			w.t.Fatalf("%s: %d %s", path, answer.Code, answer.Body)
		}
		if err := json.Unmarshal(answer.Body.Bytes(), into); err != nil {
			w.t.Fatal(err)
		}
	}
}

// Asynq's archive, the ledger, the API and the command line name the same dead letters for
// the same reasons, and running an archived task retries its dead letter.
func TestAsynqsArchiveHoldsTheDeadLetters(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	read := w.apiOf()
	sealed := made("sealed", 13)
	lost := made("lost", 12)
	large := w.enqueued(1701, slices.Concat(made("good", 260), sealed, lost)...)
	small := w.enqueued(8888, made("jobless", 15)...)
	// Remove the data of some exports and corrupt that of others; both are restored later.
	rename := func(from, to string) {
		for _, c := range slices.Concat(lost, sealed) {
			export := w.ledger.Keys().ExportID(string(large), c.ID)
			if err := w.redis.Rename(t.Context(), "ix:{1234}:"+from+":"+export, "ix:{1234}:"+to+":"+export).Err(); err != nil {
				t.Fatal(err)
			}
		}
	}
	rename("p", "away")
	for _, c := range sealed {
		export := w.ledger.Keys().ExportID(string(large), c.ID)
		if err := w.redis.Set(t.Context(), "ix:{1234}:p:"+export, "of another keyset", 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	w.work()

	why := map[string]store.Reason{"sealed": store.ReasonPayloadSealed, "lost": store.ReasonPayloadMissing, "jobless": store.ReasonJobNotFound}
	agree := func(dead int) map[string]*asynq.TaskInfo {
		t.Helper()
		var queue queueState
		defer func() {
			if t.Failed() {
				t.Logf("asynq has %d archived tasks, %d pending, %d active and %d for later; lanes: %+v", len(queue.archived), queue.pending, queue.active, queue.later, w.lane())
			}
		}()
		testrig.Eventually(t, fmt.Sprintf("asynq has archived %d tasks and works on none", dead), func() bool {
			queue = w.inspect()
			return len(queue.archived) == dead && queue.pending+queue.active+queue.later == 0
		})
		ledger := map[string]store.Reason{}
		cli := map[string]store.Reason{}
		for line := range strings.Lines(w.call("dead", "list", "--customer=1234", "--json").out) {
			d := decode[admin.DeadLine](t, line)
			cli[d.Export] = d.Reason
			prefix, _, _ := strings.Cut(d.Candidate, "-")
			if d.Reason != why[prefix] {
				t.Errorf("%s died of %s", d.Candidate, d.Reason)
			}
			letter, err := w.ledger.DeadLetters.Get(t.Context(), store.Ref{Customer: "1234", Export: d.Export})
			if err != nil {
				t.Fatal(err)
			}
			ledger[d.Export] = letter.Reason
		}
		var page struct {
			DeadLetters []admin.DeadLine `json:"dead_letters"`
		}
		read("/v1/customers/1234/dead-letters?limit=500", &page)
		overAPI := map[string]store.Reason{}
		for _, d := range page.DeadLetters {
			overAPI[d.Export] = d.Reason
		}
		if n, err := w.ledger.DeadLetters.Count(t.Context(), "1234"); err != nil || int(n) != dead || len(cli) != dead {
			t.Errorf("the ledger counts %d dead letters, %v, and the command lists %d of %d", n, err, len(cli), dead)
		}
		if diff := cmp.Diff(cli, ledger) + cmp.Diff(cli, overAPI); diff != "" {
			t.Errorf("command, ledger and API differ:\n%s", diff)
		}
		for export, reason := range cli {
			task := queue.archived[export]
			if task == nil || !strings.Contains(task.LastErr, "("+string(reason)+")") || !strings.Contains(task.LastErr, reason.Info().Hint) {
				t.Errorf("the archived task of %s (%s): %+v", export, reason, task)
			}
		}
		if l := w.lane(); l.Express+l.Bulk+l.Active+l.Later != 0 {
			t.Errorf("lanes: %+v", l)
		}
		if b, s := w.batch(large), w.batch(small); b.Dead+s.Dead != dead || b.Created+s.Created != 300-dead {
			t.Errorf("batches: %+v, %+v", b, s)
		}
		return queue.archived
	}
	archived := agree(40)

	w.tenant.AddJob(icimstest.Job{ID: 8888, Title: "Clerk", Portals: []int{1}})
	rename("away", "p")
	inspector := asynq.NewInspectorFromRedisClient(w.redis)
	left := len(archived)
	run := func(most int) {
		t.Helper()
		for export, task := range maps.Clone(archived) {
			if most == 0 {
				break
			}
			if err := inspector.RunTask(task.Queue, task.ID); err != nil {
				t.Fatal(err)
			}
			delete(archived, export)
			most, left = most-1, left-1
		}
	}
	run(1)
	agree(left)
	run(left)
	agree(0)
	for _, id := range []store.BatchID{large, small} {
		if b := w.batch(id); b.Moving() != 0 || b.Dead != 0 {
			t.Errorf("%+v", b)
		}
	}
	w.call("show", "1234", "jobless-3").wantAll(t, "asynq")
	w.call("check").wantStatus(t, statusDone)
}

// Canceling a batch deletes its tasks, and keeps those of another batch in the same queue.
func TestACanceledBatchLeavesNoTasks(t *testing.T) {
	t.Parallel()
	for name, n := range map[string]int{"of usual size": 100, "of thousands": 2_050} {
		t.Run(name, func(t *testing.T) {
			w := newWard(t)
			gone, stays := w.enqueued(1701, made("gone", n)...), w.enqueued(1701, made("stays", n)...)
			w.call("cancel", string(gone), "--why=the wrong list", "--patience=0s").wantStatus(t, statusDone)
			q, l := w.inspect(), w.lane()
			live, err := w.ledger.Recovery.Live(t.Context(), "1234")
			if err != nil || q.pending != n || q.active+q.later+len(q.archived) != 0 || l.Express+l.Bulk != n || live != int64(n) {
				t.Errorf("of %d exports that stay asynq has %+v, lanes %d, the ledger %d, %v", n, q, l.Express+l.Bulk, live, err)
			}
			inspector := asynq.NewInspectorFromRedisClient(w.redis)
			queue := tasks.QueueName("1234", store.NormalQueue)
			if n > 1_000 {
				queue = tasks.QueueName("1234", store.LargeQueue)
			}
			for _, i := range []int{0, n / 2, n - 1} {
				for batch, prefix := range map[store.BatchID]string{gone: "gone", stays: "stays"} {
					export := w.ledger.Keys().ExportID(string(batch), fmt.Sprintf("%s-%d", prefix, i))
					_, err := inspector.GetTaskInfo(queue, tasks.TaskID(store.Ref{Customer: "1234", Export: export}))
					if (batch == gone) != errors.Is(err, asynq.ErrTaskNotFound) {
						t.Errorf("task of %s-%d: %v", prefix, i, err)
					}
				}
			}
			w.call("check").wantStatus(t, statusDone)
		})
	}
}

// A pause set here pauses asynq's queues, and the other way round.
func TestPausesPauseAsynqsQueues(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	inspector := asynq.NewInspectorFromRedisClient(w.redis)
	express := tasks.QueueName("1234", store.ExpressQueue)
	first := w.enqueued(1701, made("first", 2)...)
	usual := w.enqueued(1701, made("usual", 30)...)
	paused := func() map[string]bool { return w.inspect().paused }
	both := func(on bool) map[string]bool {
		return map[string]bool{express: on, tasks.QueueName("1234", store.NormalQueue): on}
	}

	if err := inspector.PauseQueue(express); err != nil {
		t.Fatal(err)
	}
	if l := w.lane(); l.State != admin.LanePaused || l.By != admin.WebUI || !cmp.Equal(l.PausedInWeb, []string{"express"}) {
		t.Errorf("a queue that was paused by hand: %+v", l)
	}
	w.call("pause", "1234", "--why=go-live", "--who=ana").wantStatus(t, statusDone)
	if diff := cmp.Diff(both(true), paused()); diff != "" {
		t.Errorf("paused by the command: %s", diff)
	}
	if l := w.lane(); l.State != admin.LanePaused || l.By != "ana" || len(l.PausedInWeb) != 0 {
		t.Errorf("paused by ana: %+v", l)
	}
	w.work()
	later := w.enqueued(1701, made("later", 3)...)
	// held waits for the end of the pause, and checks that no call is made before.
	held := func() {
		t.Helper()
		before := w.sim.CallCount()
		testrig.Eventually(t, "the pause ends", func() bool {
			calls := w.sim.CallCount()
			pause, err := w.ledger.Lanes.PauseOf(t.Context(), "1234")
			if err != nil {
				t.Fatal(err)
			}
			if pause != nil && calls > before {
				t.Fatalf("%d calls in spite of a pause", calls-before)
			}
			return pause == nil
		})
	}
	ended := func(batches ...store.BatchID) {
		t.Helper()
		for _, id := range batches {
			testrig.Eventually(t, "the batch ends", func() bool { return !w.batch(id).Ended.IsZero() })
		}
		if diff := cmp.Diff(both(false), paused()); diff != "" {
			t.Errorf("resumed: %s", diff)
		}
	}
	if err := inspector.UnpauseQueue(express); err != nil {
		t.Fatal(err)
	}
	held()
	ended(first, usual, later)
	w.call("lanes", "1234").wantAll(t, "asynq resumed")

	w.call("pause", "1234", "--why=a moment", "--until=3s").wantStatus(t, statusDone)
	if diff := cmp.Diff(both(true), paused()); diff != "" {
		t.Errorf("paused for a moment: %s", diff)
	}
	timed := w.enqueued(1701, made("timed", 2)...)
	held()
	if l := w.lane(); l.State == admin.LanePaused || len(l.PausedInWeb) != 0 {
		t.Errorf("after the end of a pause: %+v", l)
	}
	ended(timed)
}
