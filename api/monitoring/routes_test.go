package monitoring

import (
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/google/go-cmp/cmp"
	"github.com/gorilla/mux"
	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/store/redistest"
)

// asynqmonsRoutes lists all routes of asynqmon's API as METHOD and path.
func asynqmonsRoutes(t *testing.T, h *Handler) []string {
	t.Helper()
	field := reflect.ValueOf(h.inner).Elem().FieldByName("router")
	router := *(**mux.Router)(unsafe.Pointer(field.UnsafeAddr())) // asynqmon has no API for that
	var routes []string
	err := router.Walk(func(route *mux.Route, _ *mux.Router, _ []*mux.Route) error {
		methods, err := route.GetMethods()
		if err != nil {
			return nil //nolint:nilerr // a prefix of other routes
		}
		path, err := route.GetPathTemplate()
		for _, method := range methods {
			routes = append(routes, method+" "+strings.TrimPrefix(path, "/monitoring/api"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return routes
}

// known are asynqmon's served routes, by what a change does, or "look". Check each new route of an
// asynqmon upgrade before adding it here.
var known = map[string]string{
	"GET /queues":                         "look",
	"GET /queue_stats":                    "look",
	"GET /servers":                        "look",
	"GET /queues/{qname}":                 "look",
	"GET /queues/{qname}/active_tasks":    "look",
	"GET /queues/{qname}/pending_tasks":   "look",
	"GET /queues/{qname}/scheduled_tasks": "look",
	"GET /queues/{qname}/retry_tasks":     "look",
	"GET /queues/{qname}/archived_tasks":  "look",
	"GET /queues/{qname}/completed_tasks": "look",
	"GET /queues/{qname}/tasks/{task_id}": "look",

	"POST /queues/{qname}:pause":  "pause-queue",
	"POST /queues/{qname}:resume": "resume-queue",

	"POST /queues/{qname}/scheduled_tasks/{task_id}:run": "run-task",
	"POST /queues/{qname}/retry_tasks/{task_id}:run":     "run-task",
	"POST /queues/{qname}/archived_tasks/{task_id}:run":  "run-task",
	"POST /queues/{qname}/scheduled_tasks:batch_run":     "run-tasks",
	"POST /queues/{qname}/retry_tasks:batch_run":         "run-tasks",
	"POST /queues/{qname}/archived_tasks:batch_run":      "run-tasks",
	"POST /queues/{qname}/scheduled_tasks:run_all":       "run-all-tasks",
	"POST /queues/{qname}/retry_tasks:run_all":           "run-all-tasks",
	"POST /queues/{qname}/archived_tasks:run_all":        "run-all-tasks",

	"POST /queues/{qname}/pending_tasks/{task_id}:archive":   "archive-task",
	"POST /queues/{qname}/scheduled_tasks/{task_id}:archive": "archive-task",
	"POST /queues/{qname}/retry_tasks/{task_id}:archive":     "archive-task",
	"POST /queues/{qname}/pending_tasks:batch_archive":       "archive-tasks",
	"POST /queues/{qname}/scheduled_tasks:batch_archive":     "archive-tasks",
	"POST /queues/{qname}/retry_tasks:batch_archive":         "archive-tasks",

	"DELETE /queues/{qname}/pending_tasks/{task_id}":    "delete-task",
	"DELETE /queues/{qname}/scheduled_tasks/{task_id}":  "delete-task",
	"DELETE /queues/{qname}/retry_tasks/{task_id}":      "delete-task",
	"DELETE /queues/{qname}/archived_tasks/{task_id}":   "delete-task",
	"DELETE /queues/{qname}/completed_tasks/{task_id}":  "delete-task",
	"POST /queues/{qname}/pending_tasks:batch_delete":   "delete-tasks",
	"POST /queues/{qname}/scheduled_tasks:batch_delete": "delete-tasks",
	"POST /queues/{qname}/retry_tasks:batch_delete":     "delete-tasks",
	"POST /queues/{qname}/archived_tasks:batch_delete":  "delete-tasks",
	"POST /queues/{qname}/completed_tasks:batch_delete": "delete-tasks",
	"DELETE /queues/{qname}/pending_tasks:delete_all":   "delete-all-tasks",
	"DELETE /queues/{qname}/scheduled_tasks:delete_all": "delete-all-tasks",
	"DELETE /queues/{qname}/retry_tasks:delete_all":     "delete-all-tasks",
	"DELETE /queues/{qname}/archived_tasks:delete_all":  "delete-all-tasks",
	"DELETE /queues/{qname}/completed_tasks:delete_all": "delete-all-tasks",
}

const someTask = "1234:abcdefghijklmnop"

// pathOf fills in the parameters of a route's path.
func pathOf(route string) (method, path string) {
	method, path, _ = strings.Cut(route, " ")
	return method, strings.NewReplacer("{qname}", "icims:1234", "{task_id}", someTask, "{gname}", "group", "{entry_id}", "3ed8ab06-5bf4-4a43-a4d0-6b1b6d2d2c5e").Replace(path)
}

// someTasks creates tasks in the states that operators can change.
func someTasks(t *testing.T, client redis.UniversalClient) {
	t.Helper()
	const queue = "icims:1234"
	enqueue(t, client, "icims:export", "{}", asynq.Queue(queue), asynq.TaskID(someTask), asynq.ProcessIn(time.Hour))
	enqueue(t, client, "icims:export", "{}", asynq.Queue(queue), asynq.TaskID("1234:abcdefghijklmnoq"))
	enqueue(t, client, "icims:export", "{}", asynq.Queue(queue), asynq.TaskID("1234:abcdefghijklmnor"))
	if err := inspect(client).ArchiveTask(queue, "1234:abcdefghijklmnor"); err != nil {
		t.Fatal(err)
	}
}

func TestUnlistedRoutesAreRefused(t *testing.T) {
	t.Parallel()
	client := redistest.Shared(t).Client(t)
	h := newHandler(t, client)
	someTasks(t, client)
	before := contents(t, client)
	routes := asynqmonsRoutes(t, h)
	if len(routes) < 60 {
		t.Fatalf("asynqmon has only %d routes", len(routes))
	}
	for _, route := range routes {
		method, path := pathOf(route)
		got, _, found := routeOf(method, path)
		verdict := "refused"
		switch {
		case !found:
		case got.what != "":
			verdict = got.what
		default:
			verdict = "look"
		}
		want := known[route]
		if want == "" {
			want = "refused"
		}
		if verdict != want {
			t.Errorf("%s is %s, want %s", route, verdict, want)
		}
		if found {
			continue
		}
		w := call(t, h, method, "/monitoring/api"+path)
		if method == http.MethodGet && w.Code != http.StatusNotFound || method != http.MethodGet && w.Code != http.StatusForbidden {
			t.Errorf("%s: %d %s", route, w.Code, w.Body)
		}
		if method != http.MethodGet && !strings.Contains(w.Body.String(), "icims-export") {
			t.Errorf("%s is refused without a word on what to do instead: %s", route, w.Body)
		}
	}
	for route := range known {
		if !slices.Contains(routes, route) {
			t.Errorf("asynqmon has no %s", route)
		}
	}
	if diff := cmp.Diff(before, contents(t, client)); diff != "" {
		t.Errorf("something that was refused was done:\n%s", diff)
	}
}

func TestInvalidPaths(t *testing.T) {
	t.Parallel()
	client := redistest.Shared(t).Client(t)
	h := newHandler(t, client)
	someTasks(t, client)
	before := contents(t, client)
	for _, path := range []string{
		"/queues/", "/queues/mail", "/queues/icims:", "/queues/icims:1234/", "/queues/icims:1234%0a", "/queues/icims:1234:express:express", "/queues/icims:12345678901234567890",
		"/../api/queues/icims:1234:pause", "//queues/icims:1234:pause", "/queues/icims:1234:pause/", "/queues/icims:1234:PAUSE", "/queues/icims:1234%2Fpending_tasks:delete_all/",
		"/queues/icims:1234/scheduled_tasks/" + someTask + "%2F..:run", "/queues/icims:1234/scheduled_tasks/ana@example.com:run", "/queues/icims:1234/pending_tasks/ana:run", "/queues/icims:1234/completed_tasks/" + someTask + ":archive:archive", "/queues/mail/retry_tasks:run_all", "/queues/icims:1234/groups/g/aggregating_tasks:delete_all", "",
	} {
		for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodDelete, "PROPFIND"} {
			if w := call(t, h, method, "/monitoring/api"+path); w.Code != http.StatusForbidden {
				t.Errorf("%s %s: %d %s", method, path, w.Code, w.Body)
			}
		}
		if w := call(t, h, http.MethodGet, "/monitoring/api"+path); w.Code != http.StatusNotFound && path != "/queues/icims:1234" {
			t.Errorf("GET %s: %d %s", path, w.Code, w.Body)
		}
	}
	for _, path := range []string{"/", "/monitor", "/monitoringapi/queues"} {
		if w := call(t, h, http.MethodGet, path); w.Code != http.StatusNotFound {
			t.Errorf("GET %s: %d", path, w.Code)
		}
	}
	if diff := cmp.Diff(before, contents(t, client)); diff != "" {
		t.Errorf("something was done:\n%s", diff)
	}
}

func TestReadersCannotMakeChanges(t *testing.T) {
	t.Parallel()
	client := redistest.Shared(t).Client(t)
	h := newHandler(t, client, onlyLook)
	someTasks(t, client)
	before := contents(t, client)
	for _, route := range asynqmonsRoutes(t, h) {
		method, path := pathOf(route)
		if method == http.MethodGet {
			continue
		}
		if w := call(t, h, method, "/monitoring/api"+path); w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "the operate scope") {
			t.Errorf("%s: %d %s", route, w.Code, w.Body)
		}
	}
	if w := call(t, h, http.MethodPost, "/monitoring"); w.Code != http.StatusForbidden {
		t.Errorf("POST to the page: %d", w.Code)
	}
	if diff := cmp.Diff(before, contents(t, client)); diff != "" {
		t.Errorf("something was done:\n%s", diff)
	}
	if w := call(t, h, http.MethodHead, "/monitoring/api/queues"); w.Code != http.StatusOK {
		t.Errorf("HEAD: %d", w.Code)
	}
}

func TestPageSizeIsLimited(t *testing.T) {
	t.Parallel()
	for asked, want := range map[string]string{
		"":                              "",
		"size=20&page=2":                "page=2&size=20",
		"size=1000000":                  "size=100",
		"size=0&page=0":                 "page=1&size=1",
		"size=-5&page=9999999999":       "page=1000000&size=1",
		"size=many&page=&other=1":       "",
		"size=99999999999999999999999":  "",
		"page=-9223372036854775808":     "page=1",
		"duration=1&endtime=1&queues=a": "",
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "/?"+asked, http.NoBody)
		if err != nil {
			t.Fatal(err)
		}
		if got := queryOf(r.URL.Query()); got != want {
			t.Errorf("%q becomes %q, want %q", asked, got, want)
		}
	}
}
