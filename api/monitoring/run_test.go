package monitoring

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/hibiken/asynqmon"
	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/icims/icimstest"
	"github.com/seekout/icims-export/internal/testrig"
)

// person is personal data that must not be shown anywhere.
const person = `{"name":"Ana Duarte","email":"person-000001@example.com","phone":"+1 425 555 0143"}`

// foreignProgram is another program that uses the same Redis and our queue names. It uses every
// feature for tasks, and puts personal data into all of them.
func foreignProgram(t *testing.T, client redis.UniversalClient) {
	t.Helper()
	release := make(chan struct{})
	handle := func(_ context.Context, task *asynq.Task) error {
		switch task.Type() {
		case "Ana waits":
			<-release
		case "Ana fails":
			return errors.New("Ana Duarte is at Contoso already")
		case "Ana fails for good":
			return errors.Join(errors.New("comes back in 5s, Ana Duarte"), asynq.SkipRetry)
		case "Ana panics":
			panic(person)
		default:
			_, err := task.ResultWriter().Write([]byte(person))
			return err
		}
		return nil
	}
	for _, queue := range []string{"icims:78", "Duarte"} {
		server := asynq.NewServerFromRedisClient(client, asynq.Config{
			Concurrency: 10, Queues: map[string]int{queue: 1}, LogLevel: asynq.FatalLevel, ShutdownTimeout: time.Second,
			RetryDelayFunc: func(int, error, *asynq.Task) time.Duration { return time.Hour },
		})
		if err := server.Start(asynq.HandlerFunc(handle)); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(server.Shutdown)
		for _, kind := range []string{"Ana waits", "Ana fails", "Ana fails for good", "Ana panics", "Ana is done"} {
			enqueue(t, client, kind, person, asynq.Queue(queue), asynq.TaskID("Ana Duarte "+kind), asynq.Retention(time.Hour))
			enqueue(t, client, kind, person, asynq.Queue(queue), asynq.Retention(time.Hour)) // asynq chooses its ID
		}
	}
	t.Cleanup(func() { close(release) }) // before the servers' shutdown
	// No server processes these.
	enqueue(t, client, "icims:export", `{"customer":"79","export":"Ana Duarte"}`, asynq.Queue("icims:79"))
	enqueue(t, client, "person-000001@example.com", person, asynq.Queue("icims:79"), asynq.ProcessIn(time.Hour))
	enqueue(t, client, "icims:export", person, asynq.Queue("icims:79"), asynq.Group("Ana Duarte"))
	enqueue(t, client, "icims:export", person, asynq.Queue("Ana Duarte"))
}

// answers are the API's responses by path.
type answers map[string]string

// all requests everything that the web UI shows, follows all queues and tasks in it, and counts the
// tasks by state.
func (a answers) all(t *testing.T, h http.Handler) (states map[string]int) {
	t.Helper()
	query := func(path string, v any) {
		w := call(t, h, http.MethodGet, path)
		a[path] = w.Body.String()
		// A task may end between two requests.
		if w.Code != http.StatusOK && (w.Code != http.StatusNotFound || !strings.Contains(path, "/tasks/")) {
			t.Fatalf("%s: %d %s", path, w.Code, w.Body)
		}
		if v != nil && w.Code == http.StatusOK {
			if err := json.Unmarshal(w.Body.Bytes(), v); err != nil {
				t.Fatalf("%s: %v in %s", path, err, w.Body)
			}
		}
	}
	const api = "/monitoring/api"
	var queues struct{ Queues []struct{ Queue string } }
	query(api+"/queues", &queues)
	for _, path := range []string{"/queue_stats", "/servers"} {
		query(api+path, nil)
	}
	states = map[string]int{}
	for _, q := range queues.Queues {
		queue := api + "/queues/" + q.Queue
		query(queue, nil)
		for _, state := range []string{"active", "pending", "scheduled", "retry", "archived", "completed"} {
			var list struct{ Tasks []struct{ ID string } }
			query(queue+"/"+state+"_tasks?size=5", &list)
			states[state] += len(list.Tasks)
			for _, task := range list.Tasks {
				if task.ID != hidden {
					query(queue+"/tasks/"+task.ID, nil)
				}
			}
		}
	}
	return states
}

func TestNothingPersonalIsShownDuringARun(t *testing.T) {
	t.Parallel()
	r := newRig(t, icimstest.Config{
		Seed: 5, Latency: icimstest.Latency{Rate: 1, Min: 100 * time.Millisecond, Max: 300 * time.Millisecond},
		Faults: icimstest.Faults{Error500Before: 0.1, Error500After: 0.1, HTMLError: 0.1, AccessDenied404: 0.1},
	})
	h := newHandler(t, r.client)
	foreignProgram(t, r.client)
	batch := r.send(customer, people(0, 400)...)
	r.send(customer, people(400, 420)...) // in the express queue
	r.send("77", people(500, 503)...)     // without a connection

	seen := answers{}
	need := map[string]bool{"active": true, "pending": true, "scheduled": true, "retry": true, "archived": true, "completed": true, "servers": true}
	testrig.Eventually(t, "tasks of all states are shown", func() bool {
		for state, n := range seen.all(t, h) {
			if n > 0 {
				delete(need, state)
			}
		}
		if strings.Contains(seen["/monitoring/api/servers"], `"task_payload":"{`) {
			delete(need, "servers")
		}
		for path, text := range seen {
			if found := leaks(path + text); len(found) > 0 {
				t.Errorf("%s shows %q: %s", path, found, text)
			}
		}
		return len(need) == 0 || t.Failed()
	})
	if b, err := r.ledger.Batches.Get(t.Context(), batch); err != nil || b.Moving() == 0 {
		t.Fatalf("the run is over: %+v, %v", b, err)
	}

	t.Run("own payloads are shown as references", func(t *testing.T) {
		whole := strings.Join(slices.Collect(maps.Values(seen)), "\n")
		for _, part := range []string{
			`"payload":"{\"customer\":\"1234\",`, `"type":"icims:export"`, `"queue_priorities":{"icims:1234`, `"queue_priorities":{"icims:78":1}`,
			`"payload":"` + sizeOf([]byte(person)) + `"`, `"type":"(not shown)"`, `"id":"(not shown)"`, `"result":"` + sizeOf([]byte(person)) + `"`,
			`"error_message":"` + formatError("Ana Duarte") + `"`,
		} {
			if !strings.Contains(whole, part) {
				t.Errorf("nothing shows %s", part)
			}
		}
	})
	t.Run("own tasks show why they wait", func(t *testing.T) {
		n := 0
		for path, text := range seen {
			var list struct {
				Tasks []struct {
					Type, Payload string
					Error         string `json:"error_message"`
				}
			}
			if !strings.Contains(path, "/queues/icims:1234") || json.Unmarshal([]byte(text), &list) != nil {
				continue
			}
			for _, task := range list.Tasks {
				if task.Error == "" {
					continue
				}
				n++
				if task.Error == formatError("Ana Duarte") || !strings.Contains(task.Payload, `"export":"`) {
					t.Errorf("%s shows %+v", path, task)
				}
			}
		}
		if n == 0 {
			t.Error("no task waits")
		}
	})
	t.Run("asynqmon alone shows everything", func(t *testing.T) {
		raw := asynqmon.New(asynqmon.Options{RootPath: "/raw", RedisConnOpt: connection{queueFilter{r.client}}})
		whole := ""
		for _, path := range []string{"/queues/icims:78/archived_tasks", "/queues/icims:79/groups", "/servers"} {
			whole += queryInner(raw, http.MethodGet, &url.URL{Path: "/raw/api" + path}, nil).body.String()
		}
		if found := leaks(whole); len(found) < 4 {
			t.Errorf("it shows only %q: the test would not notice", found)
		}
	})
	t.Run("foreign queues and servers are hidden", func(t *testing.T) {
		if w := call(t, h, http.MethodGet, "/monitoring/api/queues/Duarte"); w.Code != http.StatusNotFound || len(leaks(w.Body.String())) > 0 {
			t.Errorf("%d %s", w.Code, w.Body)
		}
		for _, path := range []string{"/monitoring/api/queues", "/monitoring/api/queue_stats", "/monitoring/api/servers"} {
			if text := seen[path]; !strings.Contains(text, "icims:78") {
				t.Errorf("%s: %s", path, text)
			}
		}
	})
}
