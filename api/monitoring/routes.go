package monitoring

import (
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
)

// Patterns of icims-export's queue and task names. Others are not served: another program that uses
// this Redis may put anything into them.
const (
	queueName = `icims:(?:([0-9]{1,18})(?::express|:large)?|control|intake)`
	// The task of an export, which may have a substitute, a control task, or a producer's own.
	taskName = `(?:refused:)?[a-z2-7]{26}|refused:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|[0-9]{1,18}:[a-z2-7]{16}(?::[0-9a-z]{1,13})?|[0-9]{1,18}:[a-z_]{1,20}:[a-z2-7]{16}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}`
)

// route is a served part of asynqmon's API.
type route struct {
	method string
	path   *regexp.Regexp
	// what is the audit log's name of a change; empty for reads.
	what string
	// batch means that the body names the tasks.
	batch bool
	// shared means that the response is the same for all callers, and is cached.
	shared bool
}

func under(pattern string) *regexp.Regexp {
	return regexp.MustCompile(`\A` + strings.NewReplacer("QUEUE", `(?P<queue>`+queueName+`)`, "TASK", `(?P<task>`+taskName+`)`).Replace(pattern) + `\z`)
}

// served lists the parts of asynqmon's API that are served. The changes among them lose nothing: the
// ledger keeps every export, and the sweep re-enqueues exports whose task is gone
// (TestTheWebUIBreaksNothing). Left out are:
//
//   - archive_all, which leaves tasks behind that cannot be removed (ADR 10);
//   - deleting a queue, which the sweep does for unused queues;
//   - canceling an active task, which only repeats its export;
//   - groups, schedulers and metrics, which are not used, and the Redis page, which shows
//     Redis's address.
var served = []route{
	{method: http.MethodGet, path: under(`/queues`), shared: true},
	{method: http.MethodGet, path: under(`/queue_stats`), shared: true},
	{method: http.MethodGet, path: under(`/servers`), shared: true},
	{method: http.MethodGet, path: under(`/queues/QUEUE`)},
	{method: http.MethodGet, path: under(`/queues/QUEUE/(?:active|pending|scheduled|retry|archived|completed)_tasks`)},
	{method: http.MethodGet, path: under(`/queues/QUEUE/tasks/TASK`)},

	{method: http.MethodPost, path: under(`/queues/QUEUE:pause`), what: "pause-queue"},
	{method: http.MethodPost, path: under(`/queues/QUEUE:resume`), what: "resume-queue"},

	{method: http.MethodPost, path: under(`/queues/QUEUE/(?:scheduled|retry|archived)_tasks/TASK:run`), what: "run-task"},
	{method: http.MethodPost, path: under(`/queues/QUEUE/(?:scheduled|retry|archived)_tasks:batch_run`), what: "run-tasks", batch: true},
	{method: http.MethodPost, path: under(`/queues/QUEUE/(?P<state>scheduled|retry|archived)_tasks:run_all`), what: "run-all-tasks"},

	{method: http.MethodPost, path: under(`/queues/QUEUE/(?:pending|scheduled|retry)_tasks/TASK:archive`), what: "archive-task"},
	{method: http.MethodPost, path: under(`/queues/QUEUE/(?:pending|scheduled|retry)_tasks:batch_archive`), what: "archive-tasks", batch: true},

	{method: http.MethodDelete, path: under(`/queues/QUEUE/(?:pending|scheduled|retry|archived|completed)_tasks/TASK`), what: "delete-task"},
	{method: http.MethodPost, path: under(`/queues/QUEUE/(?:pending|scheduled|retry|archived|completed)_tasks:batch_delete`), what: "delete-tasks", batch: true},
	{method: http.MethodDelete, path: under(`/queues/QUEUE/(?P<state>pending|scheduled|retry|archived|completed)_tasks:delete_all`), what: "delete-all-tasks"},
}

// routeOf returns the route of a request, and the change that its path requests.
func routeOf(method, path string) (r route, c Change, found bool) {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	for _, r := range served {
		m := r.path.FindStringSubmatch(path)
		if r.method != method || m == nil {
			continue
		}
		part := func(name string) string {
			if i := r.path.SubexpIndex(name); i > 0 {
				return m[i]
			}
			return ""
		}
		c := Change{What: r.what, Queue: part("queue"), State: part("state")}
		if of := isQueue.FindStringSubmatch(c.Queue); of != nil {
			c.Customer = of[1]
		}
		if task := part("task"); task != "" {
			c.Tasks = []string{task}
		}
		return r, c, true
	}
	return route{}, Change{}, false
}

// notServed is the default refusal.
const notServed = "This part of asynq's web UI is not available in icims-export."

// refusals name alternatives.
var refusals = []struct {
	path     *regexp.Regexp
	sentence string
}{
	{
		regexp.MustCompile(`cancel(_all)?$`),
		"Canceling a task only restarts its export. To cancel exports, use icims-export cancel or the Batches page.",
	},
	{
		regexp.MustCompile(`archive_all$`),
		"asynq cannot archive many tasks at once without leaving some behind. To cancel exports, use icims-export cancel or the Batches page.",
	},
	{
		regexp.MustCompile(`^/queues/[^/]+$`),
		"Queues are not deleted here. icims-export removes a queue that has been empty for a day. To stop a customer's exports, pause its queues, or use icims-export pause or the Lanes page.",
	},
}

func refusalOf(path string) string {
	for _, r := range refusals {
		if r.path.MatchString(path) {
			return r.sentence
		}
	}
	return notServed
}

// longestPage limits the tasks per page. asynq reads a page in one script, and reads everything for
// a size of 0.
const longestPage, lastPage = 100, 1_000_000

// queryOf returns the part of a request's query that is passed to asynqmon.
func queryOf(asked url.Values) string {
	q := url.Values{}
	for name, most := range map[string]int{"size": longestPage, "page": lastPage} {
		if n, err := strconv.Atoi(asked.Get(name)); err == nil {
			q.Set(name, strconv.Itoa(min(max(n, 1), most)))
		}
	}
	return q.Encode()
}

// serveAPI serves a request to asynqmon's API.
func (h *Handler) serveAPI(w http.ResponseWriter, r *http.Request, path string) {
	route, change, found := routeOf(r.Method, path)
	switch {
	case !found && (r.Method == http.MethodGet || r.Method == http.MethodHead):
		refuse(w, http.StatusNotFound, "Queue or task not found.")
	case !found:
		refuse(w, http.StatusForbidden, refusalOf(path))
	case route.what != "":
		h.change(w, r, path, route, change)
	case route.shared:
		h.shared.answer(path, func() reply { return h.query(r, path, nil) }).write(w)
	default:
		h.query(r, path, nil).write(w)
	}
}
