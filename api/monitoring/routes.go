package monitoring

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// What the names of our queues and tasks are made of. Others are not served: something
// else that uses this Redis may put anything into them.
const (
	queueName = `icims:(?:([0-9]{1,18})(?::express)?|control)`
	taskName  = `[0-9]{1,18}:(?:verify|jobs|read_back):[a-z2-7]{16}|[0-9]{1,18}:[a-z2-7]{16}:[0-9]{1,9}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}`
)

// route is a part of asynqmon's API that is served.
type route struct {
	method string
	path   *regexp.Regexp
	// what is what a change does, by the name that the journal gives it; empty for looking.
	what string
	// own answers in place of asynqmon, where that would tell too much.
	own func(*Handler, http.ResponseWriter, *http.Request)
	// shared: the answer is the same for all, and takes some time.
	shared bool
}

func under(pattern string) *regexp.Regexp {
	pattern = strings.NewReplacer("QUEUE", queueName, "TASK", taskName).Replace(pattern)
	return regexp.MustCompile(`\A` + pattern + `\z`)
}

// served lists all of asynqmon's API that is served; nothing else is. Of the changes
// those are served that the ledger does not mind: TestTheWebUIBreaksNothing.
var served = []route{
	{method: http.MethodGet, path: under(`/queues`), shared: true},
	{method: http.MethodGet, path: under(`/queue_stats`), shared: true},
	{method: http.MethodGet, path: under(`/queues/QUEUE`)},
	{method: http.MethodGet, path: under(`/queues/QUEUE/(?:active|pending|scheduled|retry|archived|completed)_tasks`)},
	{method: http.MethodGet, path: under(`/queues/QUEUE/tasks/(TASK)`)},
	{method: http.MethodGet, path: under(`/queues/QUEUE/groups`)},
	{method: http.MethodGet, path: under(`/servers`), shared: true},
	{method: http.MethodGet, path: under(`/scheduler_entries`), own: (*Handler).noSchedulers},
	{method: http.MethodGet, path: under(`/redis_info`), own: (*Handler).redisInfo},

	{method: http.MethodPost, path: under(`/queues/QUEUE:pause`), what: "pause-queue"},
	{method: http.MethodPost, path: under(`/queues/QUEUE:resume`), what: "resume-queue"},
	{method: http.MethodPost, path: under(`/queues/QUEUE/(?:scheduled|retry|archived)_tasks/(TASK):run`), what: "run-task"},
}

// routeOf finds the route of a request, and what its path holds: the customer, and the
// task if there is one.
func routeOf(method, path string) (r route, customer, task string, found bool) {
	if method == http.MethodHead {
		method = http.MethodGet
	}
	for _, r := range served {
		if r.method != method {
			continue
		}
		if m := r.path.FindStringSubmatch(path); m != nil {
			m = append(m, "", "")
			return r, m[1], m[2], true
		}
	}
	return route{}, "", "", false
}

// notServed is the refusal of what nobody has thought of.
const notServed = "This part of asynq's web UI is not served here."

// refusals say what to do in place of what is not served.
var refusals = []struct {
	path     *regexp.Regexp
	sentence string
}{
	{
		regexp.MustCompile(`cancel(_all)?$`),
		"Cancelling a task would only repeat its export. To end exports that wait: icims-export cancel, or the page /batches.",
	},
	{
		regexp.MustCompile(`run(_all)?$`),
		"Tasks are run one by one here. Exports go on by themselves when they are due; a customer whose exports are held back is on the page /lanes, and in icims-export lanes.",
	},
	{
		regexp.MustCompile(`_tasks`),
		"Tasks are neither archived nor deleted here: their exports would only get new ones, later. To give exports up: icims-export cancel or the page /batches; for dead letters icims-export dead discard or the page /dead-letters.",
	},
	{
		regexp.MustCompile(`^/queues/[^/]+$`),
		"Queues are not deleted here: exports would have to wait until they are found missing. One that nobody uses leaves the list after a day. To hold a customer back: icims-export pause, or the page /lanes.",
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

// longestPage is how many tasks a page may have. asynq reads a page in one script, and
// for a page of none it would read all.
const longestPage, lastPage = 100, 1_000_000

// queryOf is all of a request's query that asynqmon gets to see.
func queryOf(asked url.Values) string {
	q := url.Values{}
	for name, most := range map[string]int{"size": longestPage, "page": lastPage} {
		if n, err := strconv.Atoi(asked.Get(name)); err == nil {
			q.Set(name, strconv.Itoa(min(max(n, 1), most)))
		}
	}
	return q.Encode()
}

// serveAPI answers a request for asynqmon's API.
func (h *Handler) serveAPI(w http.ResponseWriter, r *http.Request, path string) {
	route, customer, task, found := routeOf(r.Method, path)
	switch {
	case !found && (r.Method == http.MethodGet || r.Method == http.MethodHead):
		refuse(w, http.StatusNotFound, "There is no such queue or task of icims-export's, or it is not served here.")
	case !found:
		refuse(w, http.StatusForbidden, refusalOf(path))
	case route.own != nil:
		route.own(h, w, r)
	case route.what != "":
		h.change(w, r, path, Change{What: route.what, Customer: customer, Queue: queueOf(path), Task: task})
	case route.shared:
		h.shared.answer(path, func() reply { return h.ask(r, path) }).write(w)
	default:
		h.ask(r, path).write(w)
	}
}

// queueOf is the queue that a path names.
func queueOf(path string) string {
	name := slices.Collect(strings.SplitSeq(path, "/"))[2]
	return strings.TrimSuffix(strings.TrimSuffix(name, ":pause"), ":resume")
}
