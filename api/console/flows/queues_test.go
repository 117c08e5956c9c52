package flows

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/seekout/icims-export/api"
	"github.com/seekout/icims-export/api/console"
	"github.com/seekout/icims-export/api/monitoring"
	"github.com/seekout/icims-export/internal/testrig"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
)

// withQueues mounts asynq's web UI for a Redis next to the console.
func withQueues(client redis.UniversalClient) func(*service, *console.Options) {
	return func(s *service, o *console.Options) {
		s.t.Helper()
		queues, err := monitoring.New(monitoring.Options{Redis: client, Path: console.MonitoringPath, MayOperate: console.MayOperate, Log: zerolog.Nop()})
		if err != nil {
			s.t.Fatal(err)
		}
		s.t.Cleanup(func() {
			if err := queues.Close(); err != nil {
				s.t.Error(err)
			}
		})
		o.Monitoring = queues
	}
}

const queue = "icims:" + customer

// states are the states of a task, in the order of the batch's rows in tasksOf.
var states = []string{"active", "retry", "archived", "completed", "pending", "scheduled"}

func taskOf(state string) string {
	for i, s := range states {
		if s == state {
			return customer + ":abcdefghijklmno" + string(rune('a'+i))
		}
	}
	return ""
}

// deadLetter makes asynq archive a task.
type deadLetter string

func (e deadLetter) Error() string { return string(e) }
func (deadLetter) Unwrap() error   { return asynq.SkipRetry }

// tasksOf creates a task in each state, as a worker does. stop ends the server that processes the
// active one.
func tasksOf(t *testing.T, client redis.UniversalClient) (stop func()) {
	t.Helper()
	release := make(chan struct{})
	server := asynq.NewServerFromRedisClient(client, asynq.Config{
		Concurrency: 4, Queues: map[string]int{queue: 3, queue + ":express": 6}, LogLevel: asynq.FatalLevel,
		RetryDelayFunc: func(int, error, *asynq.Task) time.Duration { return time.Hour },
	})
	row := func(task *asynq.Task, n int) bool {
		return strings.Contains(string(task.Payload()), fmt.Sprintf(`"row":%d,`, n))
	}
	err := server.Start(asynq.HandlerFunc(func(_ context.Context, task *asynq.Task) error {
		switch {
		case row(task, 1):
			<-release
			return nil
		case row(task, 2):
			return errors.New("iCIMS answered 503 to create person (attempt 1)")
		case row(task, 3):
			info := store.ReasonJobNotFound.Info()
			return deadLetter(fmt.Sprintf("dead letter: %s (%s). %s", info.Title, store.ReasonJobNotFound, info.Hint))
		}
		_, err := task.ResultWriter().Write([]byte("created person 90026, workflow 21011"))
		return err
	}))
	if err != nil {
		t.Fatal(err)
	}
	inspector, producer := asynq.NewInspectorFromRedisClient(client), asynq.NewClientFromRedisClient(client)
	for i, state := range states {
		id := taskOf(state)
		payload := fmt.Sprintf(`{"customer":%q,"batch":"%s-abcdefghijklmnop","row":%d,"candidate":"c-%d","export":%q}`, customer, customer, i+1, i+1, strings.TrimPrefix(id, customer+":"))
		options := []asynq.Option{asynq.Queue(queue), asynq.TaskID(id), asynq.MaxRetry(10_000), asynq.Retention(time.Hour)}
		switch state {
		case "scheduled":
			options = append(options, asynq.ProcessIn(time.Hour))
		case "pending":
			options[0] = asynq.Queue(queue + ":large") // not served
		}
		if _, err := producer.Enqueue(asynq.NewTask("icims:export", []byte(payload)), options...); err != nil {
			t.Fatal(err)
		}
	}
	testrig.Eventually(t, "each state has a task", func() bool {
		info, err := inspector.GetQueueInfo(queue)
		servers, failed := inspector.Servers()
		return err == nil && failed == nil && info.Active == 1 && info.Retry == 1 && info.Archived == 1 && info.Completed == 1 &&
			len(servers) == 1 && len(servers[0].ActiveWorkers) == 1
	})
	return func() {
		close(release)
		server.Shutdown()
	}
}

// actions are the buttons in the last cell of the first row.
const actions = `[...document.querySelectorAll("main tbody tr:first-child td:last-child button")].filter(shown)`

func TestAsynqsWebUI(t *testing.T) {
	t.Parallel()
	client := redistest.Start(t).Client(t)
	s := newService(t, withQueues(client))
	stop := tasksOf(t, client)
	stopped := false
	defer func() {
		if !stopped {
			stop()
		}
	}()
	const (
		menu  = `[...document.querySelectorAll(".MuiDrawer-root a")].filter(shown).map((a) => tidy(a.innerText)).join(" ")`
		items = `[...document.querySelectorAll("#action-menu li")].filter(shown).map((li) => tidy(li.innerText)).join(", ")`
	)
	b := s.login(api.ScopeOperate)
	tab := func(state string) { b.visit("/monitoring/queues/" + queue + "?status=" + state) }

	b.visit("/monitoring")
	b.sees(queue, queue+":large", "Queue Size")
	b.until("the menu with the pages that mean something", menu+` === "Queues Servers Settings"`)
	b.photograph("asynq queues")
	b.press("the actions of a queue", actions+"[0]")
	b.sees("Pause")
	b.until("nothing but to pause it", actions+".length === 1")

	for state, text := range map[string]string{
		"active": "Running", "retry": "iCIMS answered 503 to create person (attempt 1)", "archived": "dead letter: the job does not exist or cannot be seen (job_not_found). Check",
		"completed": "created person 90026, workflow 21011", "scheduled": "in 5",
	} {
		tab(state)
		b.sees(taskOf(state), text, `"candidate"`)
		b.lacks("Aggregating", "not shown")
		b.photograph("asynq " + state)
	}
	tab("active")
	b.sees("Running")
	b.lacks("Actions")
	b.until("no way to cancel a task", `![...document.querySelectorAll("main input[type=checkbox], main button[aria-label=actions], main button[title=Cancel]")].some(shown)`)
	tab("retry")
	b.press("more actions", `document.querySelector("main button[aria-label=actions]")`)
	b.until("what may be done to all", items+` === "Delete All, Run All"`)
	b.photograph("asynq retry menu")

	t.Run("a dead letter is run", func(t *testing.T) {
		tab("archived")
		b.press("the actions of a dead letter", actions+"[0]")
		b.until("to delete it and to run it", actions+".length === 2")
		b.press("Run", actions+"[1]")
		b.sees("No archived tasks at this time.")
		testrig.Eventually(t, "the task is worked on again", func() bool {
			info, err := asynq.NewInspectorFromRedisClient(client).GetQueueInfo(queue)
			return err == nil && info.Failed == 3 && info.Archived == 1
		})
	})
	t.Run("a queue is paused", func(t *testing.T) {
		b.visit("/monitoring")
		b.press("the actions of a queue", actions+"[0]")
		b.sees("Pause")
		b.press("Pause", actions+"[0]")
		b.sees("paused")
	})

	b.visit("/monitoring/servers")
	b.sees(queue, queue+":express", "1/4")
	b.photograph("asynq servers")
	stop()
	stopped = true
	b.visit("/monitoring/servers")
	b.sees("No workers are running. Start one with icims-export worker.")
	b.photograph("asynq no servers")

	for _, path := range []string{"/redis", "/schedulers"} {
		b.visit("/monitoring" + path)
		b.until("the page of queues", `location.pathname === "/monitoring"`)
	}
}

func TestAsynqsWebUIForReaders(t *testing.T) {
	t.Parallel()
	client := redistest.Start(t).Client(t)
	s := newService(t, withQueues(client))
	defer tasksOf(t, client)()
	b := s.login(api.ScopeRead)
	b.visit("/monitoring/queues/" + queue + "?status=active")
	b.sees("Running", "Deadline")
	b.until("the column of deadlines", `[...document.querySelectorAll("th")].some((th) => th.innerText === "Deadline" && shown(th))`)
	b.lacks("Actions")
	b.visit("/monitoring/queues/" + queue + "?status=archived")
	b.sees("dead letter: the job")
	b.lacks("Actions")
}

func TestAsynqsWebUIFitsAPhone(t *testing.T) {
	t.Parallel()
	client := redistest.Start(t).Client(t)
	s := newService(t, withQueues(client))
	defer tasksOf(t, client)()
	const (
		menu = `[...document.querySelectorAll(".MuiDrawer-root a[href^='/monitoring']")].filter(shown).map((a) => a.getBoundingClientRect())`
		main = `document.querySelector("main").getBoundingClientRect()`
		fits = menu + `.length === 3 && ` + menu + `.every((a) => a.left >= 0 && a.right <= innerWidth && a.bottom <= innerHeight) &&
			document.documentElement.scrollWidth <= innerWidth &&
			[...document.querySelectorAll("main .MuiTableContainer-root")].every((table) => table.getBoundingClientRect().right <= innerWidth)`
	)
	b := s.login(api.ScopeOperate)
	for size, wide := range map[string]bool{phone: false, narrow: false, desktop: true} {
		b.resize(size)
		for path, shows := range map[string]string{
			"": queue, "/queues/" + queue + "?status=archived": taskOf("archived"), "/queues/" + queue + "/tasks/" + taskOf("retry"): "attempt 1", "/servers": "1/4", "/settings": "Polling Interval",
		} {
			b.visit("/monitoring" + path)
			b.sees(shows)
			b.until("a menu and tables that fit the window", fits)
			if is, err := ask[bool](b, main+".width === innerWidth"); err != nil || is == wide {
				t.Errorf("%s, %s: the page has all of the width: %t, %v", size, path, is, err)
			}
			if size != narrow {
				b.photograph("asynq page " + strings.NewReplacer("/", "", "?", "", ":", "", "=", "").Replace(path))
			}
		}
	}
	b.resize(phone)
	b.visit("/monitoring")
	b.click("Servers")
	b.until("the page of servers", `location.pathname === "/monitoring/servers"`)
}
