package monitoring

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/hibiken/asynq"
	"github.com/rs/zerolog"

	"github.com/seekout/icims-export/store/redistest"
)

func TestChanges(t *testing.T) {
	t.Parallel()
	client := redistest.Shared(t).Client(t)
	someTasks(t, client)
	var told []string
	var log bytes.Buffer
	h := newHandler(t, client, func(o *Options) {
		o.Log = zerolog.New(&log)
		o.Journal = func(_ *http.Request, c Change) (func(error), error) {
			told = append(told, fmt.Sprintf("asked %s of %s %s %s", c.What, c.Customer, c.Queue, c.Task))
			return func(err error) { told = append(told, fmt.Sprintf("then %v", err)) }, nil
		}
		o.Announce = func(_ context.Context, customer string) error {
			told = append(told, "announced "+customer)
			return errors.New("not now")
		}
	})
	queues(t, h) // the answer is kept
	state := func() asynq.TaskState {
		info, err := inspect(client).GetTaskInfo("icims:1234", someTask)
		if err != nil {
			t.Fatal(err)
		}
		return info.State
	}
	for _, c := range []struct {
		name, path string
		status     int
		told       []string
		holds      func() bool
	}{
		{"a queue is paused", "/queues/icims:1234:pause", http.StatusNoContent,
			[]string{"asked pause-queue of 1234 icims:1234 ", "then <nil>"}, func() bool { return queues(t, h)["icims:1234"].Paused }},
		{"one that is paused already is not", "/queues/icims:1234:pause", http.StatusBadGateway,
			[]string{"asked pause-queue of 1234 icims:1234 ", "then asynq did not do it"}, func() bool { return queues(t, h)["icims:1234"].Paused }},
		{"a queue goes on, and its lanes are woken", "/queues/icims:1234:resume", http.StatusNoContent,
			[]string{"asked resume-queue of 1234 icims:1234 ", "then <nil>", "announced 1234"}, func() bool { return !queues(t, h)["icims:1234"].Paused }},
		{"a task is run, and its lanes are woken", "/queues/icims:1234/scheduled_tasks/" + someTask + ":run", http.StatusNoContent,
			[]string{"asked run-task of 1234 icims:1234 " + someTask, "then <nil>", "announced 1234"}, func() bool { return state() == asynq.TaskStatePending }},
		{"a task that waits already is not run", "/queues/icims:1234/retry_tasks/" + someTask + ":run", http.StatusBadGateway,
			[]string{"asked run-task of 1234 icims:1234 " + someTask, "then asynq did not do it"}, func() bool { return state() == asynq.TaskStatePending }},
	} {
		told = nil
		w := call(t, h, http.MethodPost, "/monitoring/api"+c.path)
		if w.Code != c.status || !c.holds() {
			t.Errorf("%s: %d %s", c.name, w.Code, w.Body)
		}
		if diff := cmp.Diff(c.told, told); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
	if text := log.String(); strings.Count(text, `"changed in asynq's web UI"`) != 3 || !strings.Contains(text, "could not be woken") {
		t.Errorf("log: %s", text)
	}
}

func TestNothingIsChangedWithoutAnEntryInTheJournal(t *testing.T) {
	t.Parallel()
	client := redistest.Shared(t).Client(t)
	someTasks(t, client)
	h := newHandler(t, client, func(o *Options) {
		o.Journal = func(*http.Request, Change) (func(error), error) { return nil, errors.New("Redis is full") }
	})
	if w := call(t, h, http.MethodPost, "/monitoring/api/queues/icims:1234:pause"); w.Code != http.StatusServiceUnavailable {
		t.Errorf("%d %s", w.Code, w.Body)
	}
	if queues(t, h)["icims:1234"].Paused {
		t.Error("it was paused")
	}
}

func TestFailuresAreTold(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                                    "",
		"comes back in 1m31s":                 "comes back in 1m31s",
		"comes back in 1m31s, Ana":            "a failure, most likely of Redis; the worker's log has it",
		"asynq: task lease expired":           "asynq: task lease expired",
		`task payload: invalid character 'A'`: "the task is no reference to an export",
		"panic [/src/worker/lane.go:12]: Ana": "an unexpected fault; the worker's log has it",
		"claim: dial tcp 10.0.0.7:6379: i/o":  "a failure, most likely of Redis; the worker's log has it",
		"claim: context deadline exceeded":    "a time-out",
		"claim: context canceled":             "interrupted",
	} {
		if got := showFailure(text); got != want {
			t.Errorf("%q is told as %q, want %q", text, got, want)
		}
	}
}

func TestAnswersShowWhatIsKnownAlone(t *testing.T) {
	t.Parallel()
	for answer, want := range map[string]string{
		`{"queue":"icims:1234","size":3,"paused":true,"owner":"Ana","owners":{"Ana":1},"n":1}`:                                                    `{"paused":true,"queue":"icims:1234","size":3}`,
		`{"stats":{"icims:1234":[{"queue":"icims:1234","date":"2026-01-02"}],"Ana":[]}}`:                                                          `{"stats":{"icims:1234":[{"date":"2026-01-02","queue":"icims:1234"}]}}`,
		`{"tasks":["Ana"],"size":"Ana","memory_usage_bytes":12345678901234567890}`:                                                                `{"memory_usage_bytes":12345678901234567890,"size":"(not shown)","tasks":["(not shown)"]}`,
		`{"servers":[{"host":"a","queue_priorities":{"icims:1":1,"mail":2}},{"host":"b"},{"host":"c","queue_priorities":{"icims:1:express":1}}]}`: `{"servers":[{"host":"c","queue_priorities":{"icims:1:express":1}}]}`,
	} {
		if got, err := show([]byte(answer)); err != nil || string(got) != want {
			t.Errorf("%s becomes %s (%v), want %s", answer, got, err, want)
		}
	}
	if _, err := show([]byte("Ana")); err == nil {
		t.Error("what is no JSON is shown")
	}
}

func TestSharedAnswers(t *testing.T) {
	t.Parallel()
	var s shared
	var mu sync.Mutex
	asked := 0
	ask := func() reply {
		mu.Lock()
		defer mu.Unlock()
		asked++
		return reply{status: http.StatusOK, text: fmt.Sprint(asked)}
	}
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() { s.answer("/queues", ask) })
	}
	all.Wait()
	if got := s.answer("/queues", ask); got.text != "1" {
		t.Errorf("asked %s times", got.text)
	}
	if got := s.answer("/servers", ask); got.text != "2" {
		t.Errorf("another path has the answer %s", got.text)
	}
	s.forget()
	if got := s.answer("/queues", ask); got.text != "3" {
		t.Errorf("after a change the answer is still %s", got.text)
	}
}

func TestAnAnswerIsKeptForAMultipleOfItsTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s shared
		asked := 0
		ask := func() reply {
			asked++
			time.Sleep(200 * time.Millisecond)
			return reply{}
		}
		s.answer("/queues", ask)
		time.Sleep(3900 * time.Millisecond)
		s.answer("/queues", ask)
		if asked != 1 {
			t.Errorf("asked %d times in the time that it is kept", asked)
		}
		time.Sleep(200 * time.Millisecond)
		s.answer("/queues", ask)
		if asked != 2 {
			t.Errorf("asked %d times after it", asked)
		}
	})
}
