package monitoring

import (
	"bytes"
	"context"
	"encoding/json"
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
	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/seekout/icims-export/internal/testrig"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
	"github.com/seekout/icims-export/worker/control"
)

// fiveTasks creates a task in each waiting state, as the worker does, and returns their IDs by
// state.
func fiveTasks(t *testing.T, client redis.UniversalClient, customer string) map[string]string {
	t.Helper()
	queue := "icims:" + customer
	ids := map[string]string{}
	for i, state := range []string{"retry", "archived", "completed", "scheduled", "pending"} {
		export := "abcdefghijklmno" + string(rune('a'+i))
		ids[state] = customer + ":" + export
		payload := fmt.Sprintf(`{"customer":%q,"batch":"%s-abcdefghijklmnop","row":%d,"candidate":"c-%d","export":%q}`, customer, customer, i+1, i+1, export)
		options := []asynq.Option{asynq.Queue(queue), asynq.TaskID(ids[state]), asynq.Retention(time.Hour)}
		if state == "scheduled" {
			options = append(options, asynq.ProcessIn(time.Hour))
		}
		if state == "pending" {
			work(t, client, queue, 3)
		}
		enqueue(t, client, "icims:export", payload, options...)
	}
	return ids
}

// work processes the tasks of fiveTasks until the given number have left the queue.
func work(t *testing.T, client redis.UniversalClient, queue string, tasks int) {
	t.Helper()
	server := asynq.NewServerFromRedisClient(client, asynq.Config{
		Concurrency: 1, Queues: map[string]int{queue: 1}, LogLevel: asynq.FatalLevel,
		RetryDelayFunc: func(int, error, *asynq.Task) time.Duration { return time.Hour },
	})
	err := server.Start(asynq.HandlerFunc(func(_ context.Context, task *asynq.Task) error {
		switch {
		case strings.Contains(string(task.Payload()), `"row":1`):
			return errors.New("iCIMS answered 503 to create person (attempt 1)")
		case strings.Contains(string(task.Payload()), `"row":2`):
			info := store.ReasonJobNotFound.Info()
			return fmt.Errorf("dead letter: %s (%s). %s: %w", info.Title, store.ReasonJobNotFound, info.Hint, asynq.SkipRetry)
		}
		_, err := task.ResultWriter().Write([]byte("created person 90026, workflow 21011"))
		return err
	}))
	if err != nil {
		t.Fatal(err)
	}
	testrig.Eventually(t, "the tasks are worked on", func() bool {
		info, err := inspect(client).GetQueueInfo(queue)
		return err == nil && info.Retry+info.Archived+info.Completed == tasks
	})
	server.Shutdown()
}

func TestChanges(t *testing.T) {
	t.Parallel()
	client := redistest.Start(t).Client(t)
	const queue = "icims:1234"
	var withCause []string
	var log bytes.Buffer
	h := newHandler(t, client, func(o *Options) {
		o.Log = zerolog.New(&log)
		o.Journal = func(_ *http.Request, c Change) (func(error), error) {
			withCause = append(withCause, fmt.Sprintf("asked %s of %s: %s", c.What, c.Customer, c.Object()))
			return func(err error) { withCause = append(withCause, fmt.Sprintf("then %v", err)) }, nil
		}
		o.Announce = func(_ context.Context, customer string) error {
			withCause = append(withCause, "announced "+customer)
			return errors.New("not now")
		}
	})
	const gone = "nothing of it"
	state := func(id string) string {
		info, err := inspect(client).GetTaskInfo(queue, id)
		if errors.Is(err, asynq.ErrTaskNotFound) {
			return gone
		}
		if err != nil {
			t.Fatal(err)
		}
		return info.State.String()
	}
	paused := func() bool { return queuesNow(t, h)[queue].Paused }
	ids := fiveTasks(t, client, "1234")
	is := func(task, want string) func() bool {
		return func() bool { return state(ids[task]) == want }
	}
	tasks := func(states ...string) string {
		var named []string
		for _, s := range states {
			named = append(named, ids[s])
		}
		text, err := json.Marshal(taskIDs{named})
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	const announced, done, failed = "announced 1234", "then <nil>", "then asynq did not do it"
	for _, c := range []struct {
		name, method, path, body string
		status                   int
		withCause                []string
		holds                    func() bool
	}{
		{"a queue is paused", "POST", ":pause", "", http.StatusNoContent, []string{"asked pause-queue of 1234: icims:1234", done}, paused},
		{"one that is paused already is not", "POST", ":pause", "", http.StatusBadGateway, []string{"asked pause-queue of 1234: icims:1234", failed}, paused},
		{"a queue goes on, and its lanes are woken", "POST", ":resume", "", http.StatusNoContent,
			[]string{"asked resume-queue of 1234: icims:1234", done, announced}, func() bool { return !paused() }},
		{"a scheduled task is run", "POST", "/scheduled_tasks/" + ids["scheduled"] + ":run", "", http.StatusNoContent,
			[]string{"asked run-task of 1234: " + ids["scheduled"], done, announced}, is("scheduled", "pending")},
		{"a task that waits already is not run", "POST", "/retry_tasks/" + ids["scheduled"] + ":run", "", http.StatusBadGateway,
			[]string{"asked run-task of 1234: " + ids["scheduled"], failed}, is("scheduled", "pending")},
		{"a dead letter is retried", "POST", "/archived_tasks:batch_run", tasks("archived"), http.StatusOK,
			[]string{"asked run-tasks of 1234: " + ids["archived"], done, announced}, is("archived", "pending")},
		{"one of two is run already", "POST", "/retry_tasks:batch_run", tasks("retry", "archived"), http.StatusOK,
			[]string{"asked run-tasks of 1234: " + ids["retry"] + ", " + ids["archived"], failed, announced}, is("retry", "pending")},
		{"a task is archived", "POST", "/pending_tasks/" + ids["retry"] + ":archive", "", http.StatusNoContent,
			[]string{"asked archive-task of 1234: " + ids["retry"], done, announced}, is("retry", "archived")},
		{"several are", "POST", "/pending_tasks:batch_archive", tasks("scheduled", "archived"), http.StatusOK,
			[]string{"asked archive-tasks of 1234: " + ids["scheduled"] + ", " + ids["archived"], done, announced}, is("scheduled", "archived")},
		{"all archived ones are run", "POST", "/archived_tasks:run_all", "", http.StatusOK,
			[]string{"asked run-all-tasks of 1234: icims:1234 archived", done, announced}, is("scheduled", "pending")},
		{"a task is deleted", "DELETE", "/pending_tasks/" + ids["retry"], "", http.StatusNoContent,
			[]string{"asked delete-task of 1234: " + ids["retry"], done, announced}, is("retry", gone)},
		{"several are deleted", "POST", "/completed_tasks:batch_delete", tasks("completed"), http.StatusOK,
			[]string{"asked delete-tasks of 1234: " + ids["completed"], done, announced}, is("completed", gone)},
		{"all of a state are", "DELETE", "/pending_tasks:delete_all", "", http.StatusOK,
			[]string{"asked delete-all-tasks of 1234: icims:1234 pending", done, announced}, is("pending", gone)},
		{"a body that names no tasks is refused", "POST", "/pending_tasks:batch_delete", `{"task_ids":[]}`, http.StatusBadRequest, nil, func() bool { return true }},
		{"and one that names another's", "POST", "/pending_tasks:batch_delete", `{"task_ids":["Ana Duarte"]}`, http.StatusBadRequest, nil, func() bool { return true }},
	} {
		withCause = nil
		w := send(t, h, c.method, "/monitoring/api/queues/"+queue+c.path, c.body)
		if w.Code != c.status || !c.holds() {
			t.Errorf("%s: %d %s", c.name, w.Code, w.Body)
		}
		if diff := cmp.Diff(c.withCause, withCause); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
	if text := log.String(); strings.Count(text, `"changed in asynq's web UI"`) != 10 || !strings.Contains(text, "waking the customer") {
		t.Errorf("log: %s", text)
	}
}

func TestTasksShowTheirExports(t *testing.T) {
	t.Parallel()
	client := redistest.Start(t).Client(t)
	h := newHandler(t, client)
	ids := fiveTasks(t, client, "1234")
	for state, parts := range map[string][]string{
		"retry":     {"iCIMS answered 503 to create person (attempt 1)", `"payload":"{\"customer\":\"1234\",\"batch\":\"1234-abcdefghijklmnop\",\"row\":1,\"candidate\":\"c-1\",\"export\":\"abcdefghijklmnoa\"}"`},
		"archived":  {"dead letter: the job does not exist or cannot be seen (job_not_found). Check the job's system id"},
		"completed": {`"result":"created person 90026, workflow 21011"`},
		"scheduled": {`"candidate\":\"c-4\"`},
		"pending":   {`"candidate\":\"c-5\"`},
	} {
		parts = append(parts, `"id":"`+ids[state]+`"`, `"type":"icims:export"`, `"queue":"icims:1234"`)
		for _, path := range []string{"/" + state + "_tasks", "/tasks/" + ids[state]} {
			w := call(t, h, http.MethodGet, "/monitoring/api/queues/icims:1234"+path)
			for _, part := range parts {
				if !strings.Contains(w.Body.String(), part) {
					t.Errorf("%s lacks %s: %d %s", path, part, w.Code, w.Body)
				}
			}
		}
	}
}

func TestWebUIChangesNothingWithoutAnAuditLogEntry(t *testing.T) {
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

func TestForeignTextsAreHidden(t *testing.T) {
	t.Parallel()
	for text, ours := range map[string]bool{
		"": true,
		"waiting: the day's calls are used up; next attempt on 2026-11-23 at 00:00 UTC": true,
		"no answer to create person; checking at 14:03 UTC":                             true,
		"iCIMS did not answer in time (search people) (attempt 12)":                     true,
		"created person 9002612345, workflow 2101112345":                                true,
		"skipped: exported on 2026-01-02 as person 90026":                               true,
		"done, calls to iCIMS: 14":                                                      true,
		"failed: Each worker that started it died.":                                     true,
		"comes back in 1m31s":                                                           true,
		"asynq: task lease expired":                                                     true,
		"the payload does not reference an export: skip retry for the task":             true,
		"comes back in 1m31s, Ana":                                                      false,
		"created person Duarte":                                                         false,
		"created person 90026, +1 425 555 0143":                                         false,
		"waiting: 425-555-0143":                                                         false,
		"waiting: 4255550143":                                                           false,
		"waiting: person@iCIMS.on":                                                      false,
		`task payload: invalid character 'A'`:                                           false,
		"panic [/src/worker/lane.go:12]: Ana":                                           false,
		"claim: dial tcp 10.0.0.7:6379: i/o":                                            false,
		`handler not found for task "ana"`:                                              false,
	} {
		if got := isOurText(text); got != ours {
			t.Errorf("%q is ours: %v", text, got)
		}
	}
	for _, text := range control.Waits() {
		if !isOurText(text) {
			t.Errorf("not ours: %s", text)
		}
	}
	for _, reason := range store.Reasons() {
		info := reason.Info()
		if text := fmt.Sprintf("dead letter: %s (%s). %s", info.Title, reason, info.Hint); !isOurText(text) {
			t.Errorf("not ours: %s", text)
		}
	}
	if got := formatResult("", []byte(person)); got != sizeOf([]byte(person)) {
		t.Errorf("a result of another's is shown as %s", got)
	}
}

func TestForeignPayloadsAreHidden(t *testing.T) {
	t.Parallel()
	for payload, want := range map[string]string{
		`{"customer":"1234","export":"abcdefghijklmnop","generation":3}`: `{"customer":"1234","export":"abcdefghijklmnop","generation":3}`,
		`{"customer":"1234","kind":"verify"}`:                            `{"customer":"1234","kind":"verify"}`,
		`{"customer":"Ana"}`:                                             "",
		`{"customer":"1234","kind":"Ana"}`:                               "",
		`{"customer":"1234","batch":"Ana"}`:                              "",
		`{"customer":"1234","export":"Ana"}`:                             "",
		`{"customer":"1234","candidate":"ana@example.com"}`:              "",
		`{"customer":"1234","name":"Ana"}`:                               "",
		`{"customer":"1234","candidate":"Ana D","candidate":"c"}`:        `{"customer":"1234","candidate":"c"}`,
		`{"customer":"1234"} Ana`:                                        "",
		"Ana":                                                            "",
	} {
		if want == "" {
			want = sizeOf([]byte(payload))
		}
		if got := formatPayload("icims:export", []byte(payload)); got != want {
			t.Errorf("%s is shown as %s, want %s", payload, got, want)
		}
	}
	const reference = `{"customer":"1234","export":"abcdefghijklmnop"}`
	if got := formatPayload("mail", []byte(reference)); got != sizeOf([]byte(reference)) {
		t.Errorf("of another type: %s", got)
	}
}

func TestForeignServersAreHidden(t *testing.T) {
	t.Parallel()
	answer := `{"servers":[{"host":"a","queue_priorities":{"icims:1":1,"mail":2}},{"host":"b"},{"host":"c","queue_priorities":{"icims:1:express":6,"icims:1":3}},{"host":"d","queue_priorities":{"icims:control":1}}]}`
	got, err := hide([]byte(answer))
	if text := string(got); err != nil || strings.Contains(text, `"host":"a"`) || strings.Contains(text, `"host":"b"`) || !strings.Contains(text, `"host":"c"`) || !strings.Contains(text, `"host":"d"`) {
		t.Errorf("%s, %v", got, err)
	}
	if _, err := hide([]byte("Ana")); err == nil {
		t.Error("what is no JSON is shown")
	}
}

func TestSharedResponses(t *testing.T) {
	t.Parallel()
	var s shared
	var mu sync.Mutex
	asked := 0
	query := func() reply {
		mu.Lock()
		defer mu.Unlock()
		asked++
		return reply{status: http.StatusOK, text: fmt.Sprint(asked)}
	}
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() { s.answer("/queues", query) })
	}
	all.Wait()
	if got := s.answer("/queues", query); got.text != "1" {
		t.Errorf("asked %s times", got.text)
	}
	if got := s.answer("/servers", query); got.text != "2" {
		t.Errorf("another path has the answer %s", got.text)
	}
	s.forget()
	if got := s.answer("/queues", query); got.text != "3" {
		t.Errorf("after a change the answer is still %s", got.text)
	}
}

func TestSharedResponseExpires(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var s shared
		asked := 0
		query := func() reply { asked++; return reply{} }
		for range 3 {
			s.answer("/queues", query)
		}
		time.Sleep(keep)
		s.answer("/queues", query)
		if asked != 2 {
			t.Errorf("asked %d times", asked)
		}
	})
}
