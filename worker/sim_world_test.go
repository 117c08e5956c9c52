package worker

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/icims/icimstest"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
	"github.com/seekout/icims-export/tasks/input"
	"github.com/seekout/icims-export/worker/limiter"
)

// world is a simulation: the real pipeline, store and client, with a real Redis and the simulator
// of iCIMS, in simulated time. Accesses to Redis and calls to iCIMS are granted one at a time, in
// an order given by the seed. Each may meet a fault or the death of its process.
type world struct {
	t       *testing.T
	seed    uint64
	rng     *rand.Rand
	plan    plan
	sim     *icimstest.Simulator
	tenant  *icimstest.Tenant
	direct  *redis.Client // without faults, for the world itself
	copy    *redis.Client // a copy of an earlier state of Redis
	address string
	ledger  *store.Ledger
	keys    *store.Keyset
	conn    store.Connection

	mu          sync.Mutex
	waiting     []*access
	scheduled   []scheduledTask // the queue
	busy        int             // exports being handled
	procs       []*process      // alive
	spawned     int
	clients     []*redis.Client
	accesses    int
	unknown     int  // writes with a lost response
	reenqueued  int  // exports re-enqueued by the sweep
	calm        bool // faults are over
	trace       []string
	purged      map[int64]bool
	hasCopy     bool            // there is a copy of Redis
	copiedQueue []scheduledTask // of that copy
	rollbacks   int             // how often Redis went back
	// intercepted is until when a proxy answers; zero: it does not.
	intercepted time.Time

	swept time.Time
}

// scheduledTask is a task in the queue.
type scheduledTask struct {
	at time.Time
	task
}

// access is one access to Redis or iCIMS that waits for its fate.
type access struct {
	what string
	proc *process
	fate chan fate
}

// fate is what happens to an access.
type fate uint8

const (
	allow      fate = iota
	failBefore      // Redis: the command does not arrive
	failAfter       // Redis: the response is lost
	dieBefore       // the process dies before the access
	dieAfter        // the process dies after the access took effect
)

// process is one run of a worker process.
type process struct {
	name  string
	lane  *lane
	redis *redis.Client
	dead  bool
	held  map[task]int // tasks that it holds
	busy  int
}

// plan is the kind and rate of a seed's faults.
type plan struct {
	candidates, shared, batches int
	processes, handlers         int
	redisFaults, deaths         float64
	faults                      icimstest.Faults
	behaviour                   icimstest.Behavior
	lookupBatch                 int
	merges, respell, strays     bool
	intercept                   icimstest.Fault // by a proxy, in bursts
	badPassword                 bool
	rollsBack                   bool // Redis goes back to an earlier state
	limits                      store.Limits
	profile                     store.TenantProfile
}

func newPlan(rng *rand.Rand) plan {
	pick := func(values ...float64) float64 { return values[rng.IntN(len(values))] }
	word := func(values ...string) string { return values[rng.IntN(len(values))] }
	// A call takes up to 100 ms to arrive, which a quarter of the burst has to cover.
	limits := store.Limits{CallsPerSecond: 5, Burst: int(pick(4, 10)), InFlight: int(pick(1, 2, 4)), CallsPerDay: 1_000_000}
	if rng.IntN(2) == 0 {
		limits.CallsPerSecond, limits.Burst = 50, 25
	}
	p := plan{
		candidates: 4 + rng.IntN(14), shared: rng.IntN(4), batches: 1 + rng.IntN(3),
		processes: 1 + rng.IntN(3), handlers: 1 + rng.IntN(5),
		redisFaults: pick(0, 0, 0.01, 0.05), deaths: pick(0, 0.005, 0.02, 0.05),
		faults: icimstest.Faults{
			Error500Before: pick(0, 0.05, 0.1), Error500After: pick(0, 0.05, 0.15), TimeoutBefore: pick(0, 0.03), TimeoutAfter: pick(0, 0.05, 0.1),
			TimeoutLate: pick(0, 0, 0.05), ResetBefore: pick(0, 0.05), ResetAfter: pick(0, 0.05, 0.1), ResetMidBody: pick(0, 0.03), Error503: pick(0, 0.05),
			Error429: pick(0, 0.02), Error429Bare: pick(0, 0.01), SlowBody: pick(0, 0.02), HTMLError: pick(0, 0.03), TruncatedJSON: pick(0, 0.05),
			RedirectElsewhere: pick(0, 0, 0.03), Page403: pick(0, 0, 0.03), Page404: pick(0, 0, 0.03), Page404After: pick(0, 0, 0.05),
			OverlongJSON: pick(0, 0.01), Unauthorized: pick(0, 0.01), SearchLag: time.Duration(pick(0, 5, 25)) * time.Second,
		},
		behaviour: icimstest.Behavior{
			DuplicateEmail: word(icimstest.Allow, icimstest.Allow, icimstest.Reject400Code4), DuplicateWorkflow: word(icimstest.Allow, icimstest.Reject400, icimstest.ReturnExisting),
			StatusByValue: word(icimstest.Accepted, icimstest.Refused, icimstest.Ignored, icimstest.IgnoredWarn), StatusOnCreate: word(icimstest.Accepted, icimstest.Accepted, icimstest.Ignored), SearchEmailCase: word(icimstest.Sensitive, icimstest.Insensitive),
			WarningCarrier: word(icimstest.Both, icimstest.Header, icimstest.Body),
			UnknownField:   word(icimstest.Warn, icimstest.Refuse), UnknownListValue: word(icimstest.Refuse, icimstest.Warn),
			EntryProblemNames: word(icimstest.Path, icimstest.Child, icimstest.Collection),
			Folder:            word(icimstest.Shown, icimstest.Shown, icimstest.Hidden), EntryPrimary: word(icimstest.Absent, icimstest.Present),
			PatchLocation: word(icimstest.Present, icimstest.Absent), PatchStatus: int(pick(204, 200)), TransactionHeader: word(icimstest.Present, icimstest.Absent),
		},
		lookupBatch: int(pick(1, 3, 50)), merges: rng.IntN(3) == 0, respell: rng.IntN(2) == 0, strays: rng.IntN(2) == 0, badPassword: rng.IntN(8) == 0,
		limits: limits, rollsBack: rng.IntN(4) == 0,
		intercept: icimstest.Fault(word("", string(icimstest.RedirectElsewhere), string(icimstest.Page403), string(icimstest.Page404), string(icimstest.Page404After))),
	}
	if p.rollsBack {
		// Calls in flight in a copy block others for some time. The search lags longer, but less
		// than the settle time.
		p.faults.SearchLag = 80 * time.Second
	}
	p.behaviour.TextValues = word(icimstest.First, icimstest.Any)
	p.behaviour.GroupOr = word(icimstest.Any, icimstest.Any, icimstest.First, icimstest.Last, icimstest.Refused)
	p.behaviour.EmptySearch = word(icimstest.EmptyList, icimstest.EmptyList, icimstest.ErrorsObject, icimstest.Errors404, icimstest.Uncoded)
	p.behaviour.EmailView = word(icimstest.Shown, icimstest.Shown, icimstest.Shown, icimstest.Hidden)
	p.behaviour.PairSearch = word(icimstest.Finds, icimstest.Finds, icimstest.Misses)
	if p.behaviour.PairSearch == icimstest.Finds { // otherwise nothing would find an existing pair
		p.behaviour.PairRoute = word(icimstest.Present, icimstest.Absent, icimstest.Denied)
	}
	p.faults.Gateway404 = pick(0, 0.03)
	p.profile = profileOf(p.behaviour, rng)
	return p
}

// profileOf returns a profile of the world: the truth, or nothing for some fields.
func profileOf(b icimstest.Behavior, rng *rand.Rand) store.TenantProfile {
	answer := func(yes bool) store.Answer {
		if rng.IntN(3) == 0 {
			return ""
		}
		return store.AnswerOf(yes)
	}
	p := store.TenantProfile{
		SearchOr: answer(b.GroupOr == icimstest.Any), IgnoresCase: answer(b.SearchEmailCase == icimstest.Insensitive),
		ReadsPair: answer(b.PairRoute == "" || b.PairRoute == icimstest.Present),
	}
	if b.EmptySearch == icimstest.Uncoded { // otherwise no person could ever be created
		p.Nobody, p.NobodyCode = store.NobodyIsErrors, icims.CodeUnknown
	}
	return p
}

// settings are those of production: the simulation has time.
func (p plan) settings() Settings {
	s := DefaultSettings()
	s.RetryMax, s.RetryBudget, s.LookupBatch = 10*time.Minute, 1000*time.Hour, p.lookupBatch
	return s
}

func newWorld(t *testing.T, seed uint64, address string, db int) *world {
	rng := rand.New(rand.NewPCG(seed, 1))
	w := &world{purged: map[int64]bool{}, t: t, seed: seed, rng: rng, plan: newPlan(rng), address: address}
	w.direct = redis.NewClient(&redis.Options{Addr: address, DB: db, PoolSize: 2})
	// Export IDs are keyed hashes: with a fixed key a seed can be replayed.
	keys, err := store.ReadKeysetFile("testdata/simulation.keyset.json")
	if err != nil {
		t.Fatal(err)
	}
	w.keys = keys
	w.ledger = store.NewLedger(w.direct, keys, store.WithSimulatedClock())
	w.copy = redis.NewClient(&redis.Options{Addr: address, DB: db + firstCopyDB, PoolSize: 2})
	w.sim = icimstest.New(icimstest.Config{Seed: seed, Faults: w.plan.faults, Behavior: w.plan.behaviour})
	cfg := icimstest.DemoTenant("1234", "export-user", "secret")
	cfg.DailyLimit = 1_000_000
	w.tenant = w.sim.AddTenant(cfg)
	limits := w.plan.limits
	w.tenant.SetLimits(icimstest.Limits{CallsPerSecond: limits.CallsPerSecond, Burst: limits.Burst, InFlight: limits.InFlight})
	w.conn = store.Connection{
		Customer: "1234", Username: "export-user", Password: "secret", LinkedInField: "field51001",
		PortalURLs: "https://api.icims.com/customers/1234/search/portals/1?staleness=0",
		Limits:     limits,
		Profile:    w.plan.profile,
	}.WithDefaults()
	return w
}

// spawn starts a worker process.
func (w *world) spawn() *process {
	w.spawned++
	p := &process{name: fmt.Sprintf("worker-%d", w.spawned), held: map[task]int{}}
	p.redis = redis.NewClient(&redis.Options{Addr: w.address, DB: w.direct.Options().DB, PoolSize: 8, MaxRetries: 1, MinRetryBackoff: time.Millisecond, MaxRetryBackoff: time.Millisecond})
	w.clients = append(w.clients, p.redis)
	p.redis.AddHook(redisAccesses{w, p})
	ledger := store.NewLedger(p.redis, w.keys, store.WithSimulatedClock())
	worker := New(p.redis, ledger, w.plan.settings(), icims.HostPolicy{}, zerolog.Nop())
	worker.id = p.name
	worker.clientOptions = []icims.Option{icims.WithBaseTransport(callAccesses{w, p})}
	l, err := worker.assemble(w.conn)
	if err != nil {
		w.t.Fatal(err)
	}
	p.lane = l
	l.retries.random = jitter(w.seed, uint64(w.spawned))
	l.background.Go(func() { l.leases.renew(l.base) })
	w.procs = append(w.procs, p)
	return p
}

// jitter is the random source of one process.
func jitter(seed, process uint64) func() float64 {
	var mu sync.Mutex
	rng := rand.New(rand.NewPCG(seed, process+2))
	return func() float64 {
		mu.Lock()
		defer mu.Unlock()
		return rng.Float64()
	}
}

// errDead is the result of every access by a dead process.
var errDead = fmt.Errorf("the process is dead: %w", io.ErrUnexpectedEOF)

// request waits for the fate of an access.
func (w *world) request(ctx context.Context, p *process, what string) fate {
	t := &access{what: what, proc: p, fate: make(chan fate, 1)}
	w.mu.Lock()
	if p.dead {
		w.mu.Unlock()
		return dieBefore
	}
	w.waiting = append(w.waiting, t)
	w.mu.Unlock()
	select {
	case v := <-t.fate:
		return v
	case <-ctx.Done():
		w.mu.Lock()
		defer w.mu.Unlock()
		w.waiting = slices.DeleteFunc(w.waiting, func(o *access) bool { return o == t })
		select {
		case v := <-t.fate:
			return v
		default:
			return failBefore
		}
	}
}

// kill ends a process: none of its accesses takes effect any more. asynq redelivers its tasks
// later.
func (w *world) kill(p *process) {
	p.dead = true
	w.scheduled = append(w.scheduled, w.redelivered(p)...)
	clear(p.held)
	for _, t := range w.waiting {
		if t.proc == p {
			t.fate <- dieBefore
		}
	}
	w.waiting = slices.DeleteFunc(w.waiting, func(t *access) bool { return t.proc == p })
	p.lane.cancel()
	w.procs = slices.DeleteFunc(w.procs, func(o *process) bool { return o == p })
}

// redelivered returns the tasks that processes hold, by default all, as asynq redelivers them.
func (w *world) redelivered(procs ...*process) []scheduledTask {
	if len(procs) == 0 {
		procs = w.procs
	}
	var redelivered []scheduledTask
	for _, p := range procs {
		for _, t := range slices.SortedFunc(maps.Keys(p.held), compareTasks) {
			redelivered = append(redelivered, scheduledTask{time.Now().Add(time.Duration(1+w.rng.IntN(120)) * time.Second), t})
		}
	}
	return redelivered
}

func compareTasks(a, b task) int {
	return cmp.Compare(a.Export, b.Export)
}

// redisAccesses makes each command an access.
type redisAccesses struct {
	w *world
	p *process
}

func (r redisAccesses) DialHook(next redis.DialHook) redis.DialHook { return next }

func (r redisAccesses) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if name := cmd.Name(); name == "hello" || name == "client" || name == "select" || name == "ping" {
			return next(ctx, cmd)
		}
		err := r.access(ctx, describe(cmd), func() error {
			err := next(ctx, cmd)
			if c, ok := cmd.(*redis.Cmd); ok {
				if answer, _ := c.Slice(); len(answer) > 0 && answer[0] == "illegal" {
					r.w.mu.Lock()
					r.w.trace = append(r.w.trace, "ILLEGAL: "+describe(cmd))
					r.w.mu.Unlock()
				}
			}
			return err
		})
		if err != nil {
			cmd.SetErr(err)
		}
		return err
	}
}

func (r redisAccesses) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return next
}

func (r redisAccesses) access(ctx context.Context, what string, do func() error) error {
	switch r.w.request(ctx, r.p, what) {
	case allow:
		return do()
	case failAfter, dieAfter:
		_ = do()
	default:
	}
	return errDead
}

func describe(cmd redis.Cmder) string {
	args := cmd.Args()
	text := cmd.Name()
	for _, a := range args[1:min(len(args), 8)] {
		if s := fmt.Sprint(a); len(s) < 80 {
			text += " " + s
		}
	}
	return text
}

// callAccesses makes each call to iCIMS an access.
type callAccesses struct {
	w *world
	p *process
}

func (c callAccesses) RoundTrip(req *http.Request) (*http.Response, error) {
	text := req.Method + " " + req.URL.Path
	if req.GetBody != nil {
		if body, err := req.GetBody(); err == nil {
			data, _ := io.ReadAll(body)
			text += " " + string(data)
		}
	}
	switch c.w.request(req.Context(), c.p, text) {
	case allow, failBefore, failAfter: // the simulator has its own faults
		return c.w.sim.Transport().RoundTrip(req)
	case dieAfter:
		if answer, err := c.w.sim.Transport().RoundTrip(req); err == nil {
			answer.Body.Close()
		}
	default:
	}
	return nil, errDead
}

// handle runs one task in the pipeline of a process.
func (w *world) handle(p *process, a scheduledTask) {
	w.busy++
	p.busy++
	p.held[a.task]++
	go func() {
		ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
		defer cancel()
		if a.Express {
			ctx = limiter.AsExpress(ctx)
		}
		x, o := newPipeline(p.lane).run(ctx, a.task)
		again := x.redelivery(o, time.Now())
		w.mu.Lock()
		defer w.mu.Unlock()
		w.busy--
		p.busy--
		if p.dead {
			return // its tasks are in the queue already
		}
		if p.held[a.task]--; p.held[a.task] == 0 {
			delete(p.held, a.task)
		}
		if again != nil {
			w.scheduled = append(w.scheduled, scheduledTask{time.Now().Add(again.After()), a.task})
		}
	}()
}

// step makes one thing happen. It returns false when nothing is left to do.
func (w *world) step() bool {
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.accesses++
	for len(w.procs) < w.plan.processes {
		w.spawn()
	}
	w.sweep()
	if w.start() {
		return true
	}
	if len(w.waiting) > 0 {
		w.decide()
		return true
	}
	return len(w.scheduled) > 0 || w.busy > 0 || w.moves()
}

// moves reports whether any export has not ended. Exports without a task are left to the sweep.
func (w *world) moves() bool {
	live, err := w.ledger.Recovery.Live(context.Background(), "1234")
	if err != nil {
		w.t.Fatal(err)
	}
	return live > 0
}

// sweep re-enqueues late exports without a task, as the worker's own sweep does.
func (w *world) sweep() {
	const every = 10 * time.Second
	if time.Since(w.swept) < every {
		return
	}
	w.swept = time.Now()
	ctx := context.Background()
	w.setClock()
	late, err := w.ledger.Recovery.Overdue(ctx, "1234", time.Now().Add(-overdueBy), sweepPage)
	if err != nil {
		w.t.Fatal(err)
	}
	var seen []string
	for _, m := range late {
		seen = append(seen, m.Export)
		alive := slices.ContainsFunc(w.scheduled, func(a scheduledTask) bool { return a.Ref == m.Ref })
		for _, p := range w.procs {
			for t := range p.held {
				alive = alive || t.Ref == m.Ref
			}
		}
		if !alive && m.State != "" {
			w.reenqueued++
			w.scheduled = append(w.scheduled, scheduledTask{time.Now(), task{Ref: m.Ref}})
		}
	}
	if err := w.ledger.Recovery.Recheck(ctx, "1234", seen, time.Now().Add(recheckAfter)); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) setClock() {
	if err := w.direct.Set(context.Background(), store.SimulatedClockKey, time.Now().UnixMilli(), 0).Err(); err != nil {
		w.t.Fatal(err)
	}
}

// start gives a due task to a process with a free handler.
func (w *world) start() bool {
	now := time.Now()
	slices.SortFunc(w.scheduled, func(a, b scheduledTask) int { return cmp.Or(a.at.Compare(b.at), compareTasks(a.task, b.task)) })
	var due []int
	for i, a := range w.scheduled {
		if !a.at.After(now) {
			due = append(due, i)
		}
	}
	free := slices.DeleteFunc(slices.Clone(w.procs), func(p *process) bool { return p.busy >= w.plan.handlers })
	if len(due) == 0 || len(free) == 0 {
		return false
	}
	i := due[w.rng.IntN(len(due))]
	a := w.scheduled[i]
	w.scheduled = slices.Delete(w.scheduled, i, i+1)
	w.handle(free[w.rng.IntN(len(free))], a)
	return true
}

// decide decides the fate of one waiting access.
func (w *world) decide() {
	slices.SortFunc(w.waiting, func(a, b *access) int {
		return cmp.Or(cmp.Compare(a.proc.name, b.proc.name), cmp.Compare(a.what, b.what))
	})
	i := w.rng.IntN(len(w.waiting))
	t := w.waiting[i]
	if strings.Contains(t.what, " unknown") {
		w.unknown++
	}
	w.waiting = slices.Delete(w.waiting, i, i+1)
	v := allow
	if !w.calm {
		switch x := w.rng.Float64(); {
		case x < w.plan.deaths/2:
			v = dieBefore
		case x < w.plan.deaths:
			v = dieAfter
		case x < w.plan.deaths+w.plan.redisFaults/2:
			v = failBefore
		case x < w.plan.deaths+w.plan.redisFaults:
			v = failAfter
		}
	}
	w.trace = append(w.trace, fmt.Sprintf("%s %s %.200s -> %d", time.Now().Format("15:04:05.000"), t.proc.name, t.what, v))
	w.setClock()
	t.fate <- v
	if v == dieBefore || v == dieAfter {
		w.kill(t.proc)
	}
}

// accept adds a batch to the ledger and schedules a task for each export.
func (w *world) accept(spec store.BatchSpec, candidates []input.Candidate) store.BatchID {
	ctx := context.Background()
	w.setClock()
	spec.Customer = "1234"
	id, _, err := w.ledger.Batches.Open(ctx, spec)
	if err != nil {
		w.t.Fatal(err)
	}
	express := w.rng.IntN(4) == 0
	for _, c := range candidates {
		p := tasks.Payload{Candidate: c}
		if c.Email == "" {
			p.Dummy = true
			p.Candidate.Email = input.DummyEmail(int32(w.rng.IntN(40)), tasks.DefaultDummyDomain)
		}
		e := store.NewExport{
			Export: w.keys.ExportID(string(id), c.ID), Candidate: c.ID,
			EmailHash: w.keys.EmailHash("1234", p.Candidate.Email), Payload: p.Encode(),
		}
		if _, err := w.ledger.AcceptFor(ctx, spec, id, []store.NewExport{e}, store.Rows{}, store.NormalQueue); err != nil {
			w.t.Fatal(err)
		}
		w.scheduled = append(w.scheduled, scheduledTask{time.Now(), task{Ref: store.Ref{Customer: "1234", Export: e.Export}, Express: express}})
	}
	if err := w.ledger.Batches.Close(ctx, id, 0); err != nil {
		w.t.Fatal(err)
	}
	return id
}
