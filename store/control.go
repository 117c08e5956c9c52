package store

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/tasks/input"
)

// A control task calls a customer's iCIMS for something other than an export: a verification, a
// job-list refresh, a read-back. Workers run it as an asynq task outside the lanes, see
// worker/control. The ledger keeps its arguments, progress and result.

// ControlKind is the kind of a control task. A customer has at most one waiting or running task of
// each kind.
type ControlKind string

// The kinds of control tasks.
const (
	ControlVerify   ControlKind = "verify"    // check whether the connection works
	ControlJobs     ControlKind = "jobs"      // read the jobs of its portals
	ControlReadBack ControlKind = "read_back" // read exported people and workflows back
)

// ControlKinds lists all kinds.
func ControlKinds() []ControlKind { return []ControlKind{ControlVerify, ControlJobs, ControlReadBack} }

// ControlState is the state of a control task.
type ControlState string

// The states of a control task.
const (
	ControlWaiting ControlState = "waiting" // for a worker
	ControlRunning ControlState = "running"
	ControlDone    ControlState = "done"
	ControlFailed  ControlState = "failed" // without a complete result, see Failure
)

// Ended reports whether the state is final.
func (s ControlState) Ended() bool { return s == ControlDone || s == ControlFailed }

// ControlFailure is the reason a control task failed. A response from iCIMS is a result, not a
// failure.
type ControlFailure string

// The reasons why control tasks fail.
const (
	ControlNoConnection ControlFailure = "no_connection"     // the customer has none
	ControlSealed       ControlFailure = "connection_sealed" // the worker's keyset cannot open it
	ControlUnusable     ControlFailure = "connection_unusable"
	ControlChanged      ControlFailure = "connection_changed" // while the task ran
	ControlExpired      ControlFailure = "expired"            // no worker began it within an hour
	ControlGaveUp       ControlFailure = "gave_up"            // its workers crashed three times
	ControlInternal     ControlFailure = "internal"           // see the worker's log
)

var controlFailures = map[ControlFailure]ReasonInfo{
	ControlNoConnection: {"The customer has no connection.", "Add one: icims-export connection add."},
	ControlSealed:       {"The workers' keyset cannot open the connection.", "Give the workers the newest keyset: icims-export keys status."},
	ControlUnusable:     {"The connection has invalid settings.", "Correct them: icims-export connection show lists them."},
	ControlChanged:      {"The connection was changed meanwhile.", "Verify it again."},
	ControlExpired:      {"No worker started it within an hour.", "Start a worker (icims-export worker), then request it again."},
	ControlGaveUp:       {"Each worker that started it died.", "Check the workers' logs for the cause, then request it again."},
	ControlInternal:     {"An unexpected internal error.", "Search the workers' logs for the customer, then request it again."},
}

// Info returns the text shown for a failure.
func (f ControlFailure) Info() ReasonInfo {
	if info, ok := controlFailures[f]; ok {
		return info
	}
	return ReasonInfo{Title: string(f), Hint: "A newer version of this service recorded it."}
}

// ControlTask is the record of a control task. The last 20 of a kind are kept, as long as outcomes
// are.
type ControlTask struct {
	ID       string         `json:"id"`
	Customer string         `json:"customer"`
	Kind     ControlKind    `json:"kind"`
	By       string         `json:"by,omitempty"` // who requested it
	State    ControlState   `json:"state"`
	Failure  ControlFailure `json:"failure,omitempty"`
	// Asked, Began and Ended are times of the Redis clock.
	Asked time.Time `json:"asked"`
	Began time.Time `json:"began,omitzero"`
	Ended time.Time `json:"ended,omitzero"`
	// Calls counts iCIMS API calls so far.
	Calls int `json:"calls"`
	// Tries counts runs: 1 for the first, plus 1 for each worker that crashed.
	Tries int `json:"tries,omitempty"`
	// Args and Result are JSON whose form depends on the kind. A running task may have a partial
	// result.
	Args   json.RawMessage `json:"args,omitempty"`
	Result json.RawMessage `json:"result,omitempty"`
	// Revision increases with each change.
	Revision int64 `json:"revision"`
}

// ControlView is the public view of a control task of any kind.
type ControlView struct {
	ID       string         `json:"id" doc:"The task's ID." example:"abcdefgh234567ij"`
	Customer string         `json:"customer" doc:"iCIMS's customer ID." example:"1234"`
	State    ControlState   `json:"state" enum:"waiting,running,done,failed" doc:"Waiting for a worker, running, done, or failed. A refusal by iCIMS is a result, not a failure."`
	Failure  ControlFailure `json:"failure,omitempty" doc:"A code for the failure."`
	Problem  string         `json:"problem,omitempty" doc:"Why the task failed, or what it waits for."`
	Remedy   string         `json:"remedy,omitempty" doc:"The remedy."`
	By       string         `json:"by,omitempty" doc:"Who requested the task."`
	Asked    time.Time      `json:"asked" doc:"When the task was requested."`
	Began    time.Time      `json:"began,omitzero" doc:"When a worker started the task."`
	Ended    time.Time      `json:"ended,omitzero" doc:"When the task ended."`
	Calls    int            `json:"calls" doc:"Calls to iCIMS so far."`
	Revision int64          `json:"revision" doc:"Increases with each change. Pass it as seen to wait for the next one."`
}

// View returns the public view of the task.
func (t ControlTask) View() ControlView {
	v := ControlView{
		ID: t.ID, Customer: t.Customer, State: t.State, Failure: t.Failure, By: t.By,
		Asked: inUTC(t.Asked), Began: inUTC(t.Began), Ended: inUTC(t.Ended), Calls: t.Calls, Revision: t.Revision,
	}
	if t.Failure != "" {
		info := t.Failure.Info()
		v.Problem, v.Remedy = info.Title, info.Hint
	}
	return v
}

func inUTC(t time.Time) time.Time {
	if t.IsZero() {
		return t
	}
	return t.UTC()
}

// ErrNoControlTask means the control task does not exist or has expired.
var ErrNoControlTask = errors.New("no such control task")

// keptControlTasks is how many control tasks of a kind are kept for a customer.
const keptControlTasks = 20

var (
	requestControlScript = loadFleetScript("control_request")
	stepControlScript    = loadEssentialFleetScript("control_step")
)

// Record records a new control task, or joins the waiting or running one of its kind,
// whatever its arguments. args are encoded as JSON; by is the name of the requester. The caller
// enqueues the task: see tasks.RequestControl.
func (l *Control) Record(ctx context.Context, customer string, kind ControlKind, args any, by string) (t ControlTask, joined bool, err error) {
	if !input.ValidCustomer(customer) {
		return ControlTask{}, false, fmt.Errorf("record a control task: %q is no customer id", customer)
	}
	id := strings.ToLower(rand.Text()[:16])
	key := controlKey(customer, id)
	sealedArgs, err := l.sealJSON(args, key)
	if err != nil {
		return ControlTask{}, false, err
	}
	sealedBy, err := l.keys.Seal([]byte(by), key)
	if err != nil {
		return ControlTask{}, false, err
	}
	answer, err := l.run(ctx, requestControlScript, controlsOf(customer, kind),
		prefix(customer), id, string(kind), sealedBy, sealedArgs, keptControlTasks, l.retention.Milliseconds())
	if err != nil {
		return ControlTask{}, false, err
	}
	t, err = l.Control.Get(ctx, customer, kind, text(answer[1]))
	return t, text(answer[0]) == "joined", err
}

// sealJSON encodes and seals a value; "" for none.
func (l *base) sealJSON(v any, place string) (string, error) {
	if v == nil {
		return "", nil
	}
	data, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("encode for a control task: %w", err)
	}
	sealed, err := l.keys.Seal(data, place)
	return string(sealed), err
}

// Get reads a control task. It returns ErrNoControlTask if there is none of that
// kind and ID.
func (l *Control) Get(ctx context.Context, customer string, kind ControlKind, id string) (ControlTask, error) {
	fields, err := l.redis.HGetAll(ctx, controlKey(customer, id)).Result()
	if err != nil {
		return ControlTask{}, fmt.Errorf("read a control task: %w", err)
	}
	e, err := l.readControlTask(customer, id, fields)
	if err == nil && e.Kind != kind {
		return ControlTask{}, ErrNoControlTask
	}
	return e, err
}

// List reads the last 20 control tasks of a kind, newest first. It leaves out tasks sealed
// with a lost key.
func (l *Control) List(ctx context.Context, customer string, kind ControlKind) ([]ControlTask, error) {
	ids, err := l.redis.LRange(ctx, controlsOf(customer, kind), 0, keptControlTasks-1).Result()
	if err != nil || len(ids) == 0 {
		return nil, wrapped("list control tasks", err)
	}
	read := make([]*redis.MapStringStringCmd, len(ids))
	_, err = l.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, id := range ids {
			read[i] = p.HGetAll(ctx, controlKey(customer, id))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read control tasks: %w", err)
	}
	var list []ControlTask
	for i, id := range ids {
		e, err := l.readControlTask(customer, id, read[i].Val())
		switch {
		case errors.Is(err, ErrNoControlTask), errors.Is(err, ErrSealed):
		case err != nil:
			return nil, err
		default:
			list = append(list, e)
		}
	}
	return list, nil
}

// Last reads the latest control task of a kind. It returns ErrNoControlTask if there is
// none, or if it is sealed with a lost key.
func (l *Control) Last(ctx context.Context, customer string, kind ControlKind) (ControlTask, error) {
	id, err := l.redis.LIndex(ctx, controlsOf(customer, kind), 0).Result()
	if errors.Is(err, redis.Nil) {
		return ControlTask{}, ErrNoControlTask
	}
	if err != nil {
		return ControlTask{}, fmt.Errorf("find the last control task: %w", err)
	}
	e, err := l.Control.Get(ctx, customer, kind, id)
	if errors.Is(err, ErrSealed) {
		return ControlTask{}, ErrNoControlTask
	}
	return e, err
}

// LastDone reads the latest done control task of a kind for each customer that has one. It leaves
// out tasks sealed with a lost key.
func (l *Control) LastDone(ctx context.Context, kind ControlKind, customers ...string) (map[string]ControlTask, error) {
	if len(customers) == 0 {
		return nil, nil
	}
	lists := make([]*redis.StringSliceCmd, len(customers))
	_, err := l.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, customer := range customers {
			lists[i] = p.LRange(ctx, controlsOf(customer, kind), 0, keptControlTasks-1)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list control tasks: %w", err)
	}
	states := map[string][]*redis.StringCmd{}
	_, err = l.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, customer := range customers {
			for _, id := range lists[i].Val() {
				states[customer] = append(states[customer], p.HGet(ctx, controlKey(customer, id), "st"))
			}
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("read states of control tasks: %w", err)
	}
	found := map[string]ControlTask{}
	for i, customer := range customers {
		at := slices.IndexFunc(states[customer], func(state *redis.StringCmd) bool { return state.Val() == string(ControlDone) })
		if at < 0 {
			continue
		}
		t, err := l.Control.Get(ctx, customer, kind, lists[i].Val()[at])
		switch {
		case errors.Is(err, ErrSealed), errors.Is(err, ErrNoControlTask):
		case err != nil:
			return nil, err
		default:
			found[customer] = t
		}
	}
	return found, nil
}

func wrapped(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", doing, err)
}

func (l *base) readControlTask(customer, id string, fields map[string]string) (ControlTask, error) {
	if len(fields) == 0 {
		return ControlTask{}, ErrNoControlTask
	}
	e := ControlTask{
		ID: id, Customer: customer, Kind: ControlKind(fields["k"]), State: ControlState(fields["st"]), Failure: ControlFailure(fields["f"]),
		Asked: millis(fields["asked"]), Calls: int(number(fields["calls"])), Tries: int(number(fields["tries"])), Revision: number(fields["rev"]),
	}
	for name, at := range map[string]*time.Time{"began": &e.Began, "ended": &e.Ended} {
		if fields[name] != "" {
			*at = millis(fields[name])
		}
	}
	for name, into := range map[string]*json.RawMessage{"args": &e.Args, "result": &e.Result} {
		if fields[name] == "" {
			continue
		}
		data, err := l.keys.Open([]byte(fields[name]), controlKey(customer, id))
		if err != nil {
			return ControlTask{}, fmt.Errorf("control task %s of customer %s: %w", id, customer, err)
		}
		*into = data
	}
	if by, err := l.keys.Open([]byte(fields["by"]), controlKey(customer, id)); err == nil {
		e.By = string(by)
	}
	return e, nil
}

// followEvery is the interval at which AwaitControlTask polls.
const followEvery = 100 * time.Millisecond

// Await waits until a control task has changed since it was read, and returns it. When
// ctx ends, it returns the task as last seen, and no error.
func (l *Control) Await(ctx context.Context, seen ControlTask) (ControlTask, error) {
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return seen, nil
		case <-tick.C:
		}
		revision, err := l.redis.HGet(ctx, controlKey(seen.Customer, seen.ID), "rev").Result()
		switch {
		case ctx.Err() != nil:
			return seen, nil
		case errors.Is(err, redis.Nil):
			return seen, ErrNoControlTask
		case err != nil:
			return seen, fmt.Errorf("follow a control task: %w", err)
		case revision != strconv.FormatInt(seen.Revision, 10):
			return l.Control.Get(ctx, seen.Customer, seen.Kind, seen.ID)
		}
	}
}
