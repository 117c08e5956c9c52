package monitoring

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/hibiken/asynqmon"
	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/store/redistest"
)

// shownQueue is a queue in the list.
type shownQueue struct {
	Queue  string
	Size   int
	Memory int `json:"memory_usage_bytes"`
	Paused bool
}

func queues(t *testing.T, h *Handler) map[string]shownQueue {
	t.Helper()
	w := call(t, h, http.MethodGet, "/monitoring/api/queues")
	var list struct{ Queues []shownQueue }
	if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil || w.Code != http.StatusOK {
		t.Fatalf("%d %v %s", w.Code, err, w.Body)
	}
	byName := map[string]shownQueue{}
	for _, q := range list.Queues {
		byName[q.Queue] = q
	}
	return byName
}

// queuesNow lists the queues without the cache, after a change outside the web UI.
func queuesNow(t *testing.T, h *Handler) map[string]shownQueue {
	t.Helper()
	h.shared.forget()
	return queues(t, h)
}

func TestQueues(t *testing.T) {
	t.Parallel()
	redistest.EachBackend(t, func(t *testing.T, client redis.UniversalClient) {
		h := newHandler(t, client)
		for n := range 3 {
			enqueue(t, client, "icims:export", `{"customer":"1234","export":"abcdefghijklmnop"}`, asynq.Queue("icims:1234"), asynq.TaskID(fmt.Sprintf("1234:abcdefghijklmno%c", 'a'+n)))
		}
		enqueue(t, client, "icims:export", "{}", asynq.Queue("icims:77:express"), asynq.ProcessIn(time.Hour))
		enqueue(t, client, "mail", "{}", asynq.Queue("mail"))

		t.Run("only icims-export's queues are listed", func(t *testing.T) {
			got := queuesNow(t, h)
			if len(got) != 2 || got["icims:1234"].Size != 3 || got["icims:77:express"].Size != 1 || got["icims:1234"].Memory == 0 {
				t.Errorf("%+v", got)
			}
		})
		t.Run("those that all customers share are ours", func(t *testing.T) {
			for _, queue := range []string{"icims:control", "icims:intake", "icims:1234:large"} {
				enqueue(t, client, "icims:verify", `{"customer":"1234","kind":"verify"}`, asynq.Queue(queue))
				if got := queuesNow(t, h); got[queue].Size != 1 {
					t.Errorf("%+v", got)
				}
			}
		})
		t.Run("a task without its hash hides no others", func(t *testing.T) {
			lost, err := client.LIndex(t.Context(), "asynq:{icims:1234}:pending", -1).Result()
			if err != nil || client.Del(t.Context(), "asynq:{icims:1234}:t:"+lost).Val() != 1 {
				t.Fatal(err)
			}
			if got := queuesNow(t, h); got["icims:1234"].Size != 3 || got["icims:1234"].Memory == 0 {
				t.Errorf("%+v", got)
			}
			w := call(t, h, http.MethodGet, "/monitoring/api/queues/icims:1234/pending_tasks")
			if w.Code != http.StatusOK || strings.Count(w.Body.String(), `"type":"icims:export"`) != 2 {
				t.Errorf("%d %s", w.Code, w.Body)
			}
		})
		t.Run("an unknown one is not found", func(t *testing.T) {
			for _, path := range []string{"/queues/icims:4711", "/queues/icims:4711/pending_tasks", "/queues/icims:1234/tasks/" + "1234:qqqqqqqqqqqqqqqq"} {
				if w := call(t, h, http.MethodGet, "/monitoring/api"+path); w.Code != http.StatusNotFound {
					t.Errorf("%s: %d %s", path, w.Code, w.Body)
				}
			}
		})
	})
}

// If asynq fixes this, our script is obsolete.
func TestAsynqAloneHidesQueuesAfterALostTask(t *testing.T) {
	t.Parallel()
	client := redistest.Shared(t).Client(t)
	lost := enqueue(t, client, "icims:export", "{}", asynq.Queue("icims:1234"))
	client.Del(t.Context(), "asynq:{icims:1234}:t:"+lost.ID)
	raw := asynqmon.New(asynqmon.Options{RootPath: "/raw", RedisConnOpt: asynq.RedisClientOpt{Addr: client.(*redis.Client).Options().Addr, DB: client.(*redis.Client).Options().DB}})
	defer raw.Close()
	if got := queryInner(raw, http.MethodGet, &url.URL{Path: "/raw/api/queues"}, nil); got.status != http.StatusInternalServerError {
		t.Errorf("%d %s", got.status, got.body.String())
	}
}

func TestTheClientStaysOpen(t *testing.T) {
	t.Parallel()
	client := redistest.Shared(t).Client(t)
	h, err := New(Options{Redis: client, Path: "/monitoring"})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Close(); err != nil {
		t.Error(err)
	}
	if err := client.Ping(t.Context()).Err(); err != nil {
		t.Errorf("the client was closed along: %v", err)
	}
}

func TestNewChecksOptions(t *testing.T) {
	t.Parallel()
	client := redistest.Shared(t).Client(t)
	for _, o := range []Options{{Path: "/monitoring"}, {Redis: client}, {Redis: client, Path: "monitoring"}, {Redis: client, Path: "/monitoring/"}} {
		if _, err := New(o); err == nil {
			t.Errorf("%q is good enough", o.Path)
		}
	}
}

func TestFailingRedis(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t)
	client := server.Client(t)
	h := newHandler(t, client)
	enqueue(t, client, "icims:export", "{}", asynq.Queue("icims:1234"))
	server.Kill(t)
	for _, path := range []string{"/queues", "/queues/icims:1234", "/queues/icims:1234/retry_tasks", "/servers"} {
		if w := call(t, h, http.MethodGet, "/monitoring/api"+path); w.Code != http.StatusBadGateway || strings.Contains(w.Body.String(), "127.0.0.1") || strings.Contains(w.Body.String(), "dial") {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}

// Some services forbid MEMORY USAGE; the queues are still listed.
func TestQueuesWithoutMemoryUsage(t *testing.T) {
	t.Parallel()
	for name, option := range map[string]redistest.Option{
		"forbidden": redistest.Config("user", "default on nopass ~* &* +@all -memory"),
		"disabled":  redistest.Config("rename-command", `MEMORY ""`),
	} {
		t.Run(name, func(t *testing.T) {
			client := redistest.Start(t, option).Client(t)
			h := newHandler(t, client)
			enqueue(t, client, "icims:export", `{"customer":"1234","export":"abcdefghijklmnop"}`, asynq.Queue("icims:1234"))
			if got := queues(t, h)["icims:1234"]; got.Size != 1 || got.Memory != 0 {
				t.Errorf("got %+v", got)
			}
		})
	}
}
