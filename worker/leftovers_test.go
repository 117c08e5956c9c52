package worker_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/icims/icimstest"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
	"github.com/seekout/icims-export/tasks/input"
	"github.com/seekout/icims-export/worker"
)

func TestPauseFinishesBegunExports(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{sim: calm(), conn: limited(2)})
	id := r.send(input.ToJob(job), input.Options{}, people(1)...)
	r.eventually("a person is made", func() bool { return r.calls("people.create") == 1 })
	r.pause(store.Pause{By: "maria", Why: "too loud"})
	r.eventually("the person is linked to the job while the customer is paused", func() bool { return r.calls("workflows.create") == 1 })
	if b := r.finished(id); b.Created != 1 {
		t.Errorf("%+v", b)
	}
}

// A producer that uses asynq alone chooses the task ID, which may be anything.
func TestRefusedTaskIDIsNotLogged(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{sim: calm()})
	for _, id := range []string{"jane.doe@example.com", "Jane Doe"} {
		_, err := asynq.NewClientFromRedisClient(r.redis).EnqueueContext(t.Context(), asynq.NewTask("candidate", []byte(`{}`)), asynq.Queue(tasks.IntakeQueue), asynq.TaskID(id))
		r.must(err)
	}
	r.eventually("asynq has logged both", func() bool { return strings.Count(r.logs.String(), "task left out") >= 2 })
	if log := strings.ToLower(r.logs.String()); strings.Contains(log, "jane") || strings.Contains(log, "doe") {
		t.Errorf("the log names a person:\n%s", r.logs.Tail())
	}
}

func TestManuallyRunTaskRunsWhileOthersWait(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{sim: calm(), settings: func(s *worker.Settings) { s.RetryMin, s.RetryMax = 40*time.Minute, 40*time.Minute }})
	r.sim.AddRule(icimstest.Rule{Route: "search.people", Fault: icimstest.Error503, Times: 1})
	id := r.send(input.ToJob(job), input.Options{}, ana())
	r.eventually("the customer has no lane", func() bool { return time.Until(r.wants()) > 5*time.Minute && r.logs.Count("lane closed") == 1 })
	r.must(r.inspector().RunTask(express, tasks.TaskID(store.Ref{Customer: customer, Export: r.outcomes(id)[0].Export})))
	if b := r.finished(id); b.Created != 1 {
		t.Errorf("%+v", b)
	}
}

// cancelAfterAccept ends a context once candidates have been accepted.
type cancelAfterAccept struct{ cancel context.CancelFunc }

func (h cancelAfterAccept) DialHook(next redis.DialHook) redis.DialHook { return next }
func (h cancelAfterAccept) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		if c, ok := cmd.(*redis.Cmd); ok && err == nil {
			if list, ok := c.Val().([]any); ok && len(list) > 0 {
				if s, ok := list[0].(string); ok && strings.HasPrefix(s, "new|") {
					h.cancel()
				}
			}
		}
		return err
	}
}
func (h cancelAfterAccept) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func TestAcceptedExportsAreAnnouncedAfterCancel(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{sim: calm(), stopped: true})
	ctx, cancel := context.WithCancel(t.Context())
	client, _ := r.redis.(*redis.Client)
	client.AddHook(cancelAfterAccept{cancel})
	_, _ = r.producer.Enqueue(ctx, input.Batch{Customer: customer, Target: input.ToJob(job), Candidates: input.Candidates(ana())})
	if live, err := r.ledger.Recovery.Live(t.Context(), customer); live != 1 || err != nil {
		t.Fatalf("%d exports are moving, %v", live, err)
	}
	if r.wants().IsZero() {
		t.Error("the export is not announced")
	}
}

// forgottenScripts fails acknowledgements, and makes Redis forget its scripts.
type forgottenScripts struct{ left atomic.Int64 }

func (h *forgottenScripts) DialHook(next redis.DialHook) redis.DialHook { return next }

func (h *forgottenScripts) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (h *forgottenScripts) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		args := cmd.Args()
		acknowledges := len(args) > 8 && (args[0] == "evalsha" || args[0] == "eval") && strings.HasSuffix(text(args[3]), ":active") && strings.HasSuffix(text(args[5]), ":completed")
		if acknowledges && h.left.Add(-1) >= 0 {
			_ = next(context.WithoutCancel(ctx), redis.NewStatusCmd(ctx, "script", "flush"))
			cmd.SetErr(errInjected)
			return errInjected
		}
		return next(ctx, cmd)
	}
}

func TestAckSurvivesRedisRestart(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{sim: calm(), stopped: true})
	h := &forgottenScripts{}
	h.left.Store(1)
	client, _ := r.redis.(*redis.Client)
	client.AddHook(h)
	id := r.send(input.ToJob(job), input.Options{}, ana())
	r.start()
	r.finished(id)
	ended := time.Now()
	r.eventually("the task is completed", func() bool {
		info, err := r.inspector().GetTaskInfo(express, tasks.TaskID(store.Ref{Customer: customer, Export: r.outcomes(id)[0].Export}))
		return err == nil && info.State == asynq.TaskStateCompleted
	})
	if h.left.Load() >= 0 {
		t.Error("no acknowledgement failed")
	}
	if n := r.logs.Count("export handled"); n != 1 {
		t.Errorf("the task ran %d times, the last one %s after its export had ended", n, time.Since(ended))
	}
}

func TestReserveServesOnlySmallBatches(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{sim: calm(), conn: func(c *store.Connection) {
		c.Limits = store.Limits{CallsPerSecond: 100, Burst: 10, InFlight: 16, CallsPerDay: 300, ExpressReserve: 95}
	}})
	all := people(701)
	r.send(input.Prospects, input.Options{}, all[1:]...)
	r.eventually("only the reserve is left", func() bool { return r.logs.Count("lane closed") > 0 && !r.wants().Before(time.Now()) })
	id := r.send(input.Prospects, input.Options{}, all[0])
	r.eventually("the small batch ends", func() bool {
		info, err := r.inspector().GetQueueInfo(tasks.QueueName(customer, store.NormalQueue))
		r.must(err)
		if info.Active > 0 {
			t.Errorf("%d handlers hold exports of the large batch", info.Active)
		}
		b, err := r.ledger.Batches.Get(t.Context(), id)
		return err == nil && !b.Ended.IsZero()
	})
}
