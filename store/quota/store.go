package quota

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

var (
	//go:embed permits.lua
	permitsLua string
	//go:embed takeover.lua
	takeoverLua string
)

const (
	// SimulatedClockKey holds the time (ms since 1970) of a store made with NewSimulated.
	SimulatedClockKey = "ix:clock"
	// SimulatedServerKey holds the server identity for such a store.
	SimulatedServerKey = "ix:simulated-server"

	liveClock = `local function micros()
  local t = redis.call('TIME')
  return tonumber(t[1]) * 1000000 + tonumber(t[2])
end
local function server()
  local info = redis.pcall('INFO', 'server')
  return type(info) == 'string' and string.match(info, 'run_id:(%x+)') or ''
end
`
	simulatedClock = `local function micros() return tonumber(redis.call('GET', '` + SimulatedClockKey + `')) * 1000 end
local function server() return redis.call('GET', '` + SimulatedServerKey + `') or '' end
`
	// At maxmemory, Redis only rejects a script whose first write needs memory. This write needs
	// none and changes nothing, so that calls in flight can still be finished.
	evenWhenFull = "redis.pcall('HDEL', KEYS[1], '')\n"
)

var (
	liveScript      = redis.NewScript(evenWhenFull + liveClock + takeoverLua + permitsLua)
	simulatedScript = redis.NewScript(evenWhenFull + simulatedClock + takeoverLua + permitsLua)
)

// Store grants permits. It is safe for concurrent use.
type Store struct {
	redis   redis.UniversalClient
	script  *redis.Script
	servers sync.Map // customer: run_id of the server that replied last
}

// New returns a store in the client's Redis.
func New(client redis.UniversalClient) *Store { return &Store{redis: client, script: liveScript} }

// NewSimulated is New with the clock in SimulatedClockKey, for simulations that pass days in
// seconds.
func NewSimulated(client redis.UniversalClient) *Store {
	return &Store{redis: client, script: simulatedScript}
}

func prefix(customer string) string   { return "ix:{" + customer + "}:" }
func stateKey(customer string) string { return prefix(customer) + "limits" }

// Ask returns finished permits and requests new ones, in one round trip. After an error the
// requested permits may have been granted: the next request must return them as unused, see
// UnknownPermit, and repeat the returned permits of this one.
func (s *Store) Ask(ctx context.Context, customer string, r Request) (Answer, error) {
	before, _ := s.servers.Load(customer)
	server, _ := before.(string)
	args, err := wireRequest{Request: r, Server: server}.args(customer)
	if err != nil {
		return Answer{}, err
	}
	a, err := readAnswer(s.script.Run(ctx, s.redis, []string{stateKey(customer)}, args...))
	if err != nil {
		return Answer{}, err
	}
	s.servers.Store(customer, a.Server)
	answer := Answer{AskAgain: time.Duration(a.AskAgainUS * float64(time.Microsecond)), Full: a.Full, Void: a.Void, Status: a.status(time.Now())}
	for i, p := range a.Permits {
		permit := UnknownPermit(r.Worker, r.First+int64(i))
		permit.Express, permit.After, permit.mark = p.Express, time.Duration(p.AfterUS*float64(time.Microsecond)), p.Mark
		answer.Permits = append(answer.Permits, permit)
	}
	return answer, nil
}

// Caller is the connection that would make calls for a customer.
type Caller struct {
	Customer string
	// Credentials as in Request: verdicts on others are ignored. Empty: all verdicts apply that no
	// success followed.
	Credentials string
	// Limits of the connection. Zero: those used last.
	Limits Limits
}

// Statuses returns the status for each caller in one round trip. It changes nothing.
func (s *Store) Statuses(ctx context.Context, callers ...Caller) ([]Status, error) {
	if len(callers) == 0 {
		return nil, nil
	}
	arguments := make([][]any, len(callers))
	for i, c := range callers {
		var err error
		if arguments[i], err = (wireRequest{Request: Request{Credentials: c.Credentials, Limits: c.Limits}, Peek: true}).args(c.Customer); err != nil {
			return nil, err
		}
	}
	calls := make([]*redis.Cmd, len(callers))
	// The pipeline's error repeats one of the calls' errors.
	_, _ = s.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, c := range callers {
			calls[i] = s.script.EvalSha(ctx, p, []string{stateKey(c.Customer)}, arguments[i]...)
		}
		return nil
	})
	now := time.Now()
	statuses := make([]Status, len(callers))
	for i, call := range calls {
		if redis.HasErrorPrefix(call.Err(), "NOSCRIPT") { // the script is not loaded on this server
			call = s.script.Run(ctx, s.redis, []string{stateKey(callers[i].Customer)}, arguments[i]...)
		}
		a, err := readAnswer(call)
		if err != nil {
			return nil, err
		}
		statuses[i] = a.status(now)
	}
	return statuses, nil
}

// wireRequest is the JSON form of a Request.
type wireRequest struct {
	Request

	Peek   bool  `json:"peek"`
	HoldMS int64 `json:"hold_ms"`
	CallMS int64 `json:"call_ms"`
	// Server is the run_id this process saw last; empty: none.
	Server   string         `json:"server"`
	Returned []wireReturned `json:"returned,omitempty"`
}

type wireReturned struct {
	ID         string `json:"id"`
	Mark       string `json:"mark"`
	Unused     bool   `json:"unused"`
	Status     int    `json:"status"`
	Limit      int    `json:"limit"`
	Remaining  int    `json:"remaining"`
	Reset      int    `json:"reset"`
	RetryAfter int    `json:"retry_after"`
}

func (r wireRequest) args(customer string) ([]any, error) {
	r.HoldMS, r.CallMS = r.Hold.Milliseconds(), r.CallTimeout.Milliseconds()
	for _, p := range r.Request.Returned {
		r.Returned = append(r.Returned, wireReturned{p.Permit.ID, p.Permit.mark, p.Unused, p.Status, p.Limit, p.Remaining, p.Reset, p.RetryAfter})
	}
	r.Limits.Burst = max(r.Limits.Burst, 1)
	request, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("quota: %w", err)
	}
	limits, err := json.Marshal(r.Limits)
	if err != nil {
		return nil, fmt.Errorf("quota: %w", err)
	}
	return []any{prefix(customer), string(request), string(limits)}, nil
}

// wireAnswer is the reply of the script. It contains durations, because clocks may differ.
type wireAnswer struct {
	Server  string `json:"server"`
	Permits []struct {
		Express bool    `json:"express"`
		AfterUS float64 `json:"after_us"`
		Mark    string  `json:"mark"`
	} `json:"permits"`
	Full             bool         `json:"full"`
	AskAgainUS       float64      `json:"ask_again_us"`
	Void             bool         `json:"void"`
	Closed           *wireClosure `json:"closed"`
	ClosedExpress    *wireClosure `json:"closed_express"`
	Paused           bool         `json:"paused"`
	PausedForMS      int64        `json:"paused_for_ms"`
	Succeeded        bool         `json:"succeeded"`
	LastSuccessAgeMS int64        `json:"last_success_age_ms"`
	Budget           int          `json:"budget"`
	Left             int          `json:"left"`
	Reserve          int          `json:"reserve"`
	Own              int          `json:"own"`
	Foreign          int          `json:"foreign"`
	WindowEnd        int64        `json:"window_end"`
	WindowMS         int64        `json:"window_ms"`
	InFlight         int          `json:"in_flight"`
	RecentRate       float64      `json:"recent_rate"`
	Limits           Limits       `json:"limits"`
	Lowered          bool         `json:"lowered"`
}

type wireClosure struct {
	Reason string `json:"reason"`
	ForMS  int64  `json:"for_ms"`
}

func readAnswer(call *redis.Cmd) (wireAnswer, error) {
	text, err := call.Text()
	if err != nil {
		return wireAnswer{}, fmt.Errorf("quota: %w", err)
	}
	var a wireAnswer
	if err := json.NewDecoder(strings.NewReader(text)).Decode(&a); err != nil {
		return wireAnswer{}, fmt.Errorf("quota: response of the script: %w", err)
	}
	return a, nil
}

func (a wireAnswer) status(now time.Time) Status {
	after := func(ms int64) time.Time { return now.Add(time.Duration(ms) * time.Millisecond) }
	closure := func(c *wireClosure) Closure {
		if c == nil {
			return Closure{}
		}
		return Closure{c.Reason, after(c.ForMS)}
	}
	s := Status{
		Closed: closure(a.Closed), ClosedExpress: closure(a.ClosedExpress),
		Own: a.Own, Foreign: a.Foreign, Budget: a.Budget, Left: a.Left, Reserve: a.Reserve,
		WindowEnd: windowEnd(after(a.WindowMS), time.UnixMilli(a.WindowEnd)), InFlight: a.InFlight, Rate: a.RecentRate, Limits: a.Limits, Lowered: a.Lowered,
	}
	if a.Paused {
		s.Paused.Reason = Paused
		if a.PausedForMS > 0 {
			s.Paused.Until = after(a.PausedForMS)
		}
	}
	if a.Succeeded {
		s.LastSuccess = after(-a.LastSuccessAgeMS)
	}
	return s
}

// windowEnd returns the end of the window by this process's clock, or by the Redis clock if the two
// agree: the latter does not change with each reply.
func windowEnd(reckoned, kept time.Time) time.Time {
	const agree = 2 * time.Second
	if reckoned.Sub(kept).Abs() < agree {
		return kept
	}
	return reckoned
}
