package verify

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/rs/zerolog"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/worker/control"
)

// Verifier runs verifications in a worker.
type Verifier struct {
	// Egress lists the workers' IP addresses as iCIMS sees them, for remedies.
	Egress []string
	// Now and Rest are the clock for the wait for the search index; nil means the system's.
	Now  func() time.Time
	Rest func(ctx context.Context, r *control.Run, d time.Duration) error
	// Lag is how long to wait for the search index; 0 means store.MaxSearchLag.
	Lag time.Duration
}

// Work returns the handler for control tasks of the kind store.ControlVerify.
func (v Verifier) Work() control.Work {
	return control.Work{Do: v.do, Abandon: abandon, AtOnce: atOnce}
}

// atOnce is how many verifications a process runs concurrently. They mostly wait for iCIMS.
const atOnce = 16

// run is one verification.
type run struct {
	*control.Run

	verifier Verifier
	args     Args
	report   Report
	client   *icims.Client
	// profile is what is known about the customer's iCIMS, initially from the last verification.
	profile store.TenantProfile
	// sent is when the test candidate was sent. there means that it is in iCIMS, made that this
	// verification created it, and statusRefused that its workflow has another status.
	sent                       time.Time
	there, made, statusRefused bool
	held                       bool // see hold
	statusLater                bool // the workflow got its status only by a change
	back                       readBack
	// job is the first job listed by a portal.
	job int64
	// denied and allowed count the parts that the account was denied or could read.
	denied, allowed int
}

// verdict is the result of a check.
type verdict struct {
	state State
	code  Code
	// cause and remedy override those of the code.
	cause, remedy string
	found         string
	err           error // of the call
}

func ok(format string, args ...any) verdict {
	return verdict{state: OK, found: fmt.Sprintf(format, args...)}
}

func failed(code Code, err error) verdict { return verdict{state: Failed, code: code, err: err} }

func warned(code Code, cause string) verdict { return verdict{state: Warned, code: code, cause: cause} }

func (v Verifier) do(ctx context.Context, r *control.Run) (any, error) {
	r.Conn.Profile.HeldUntil = 0 // of a run that was interrupted
	x := &run{Run: r, verifier: v, profile: r.Conn.Profile, report: Report{Result: ResultRunning, Revision: r.ConnRevision}}
	if len(r.Args) > 0 {
		if err := json.Unmarshal(r.Args, &x.args); err != nil {
			return nil, errors.New("the arguments of the verification are not readable")
		}
	}
	if err := x.begin(ctx); err != nil {
		return nil, err
	}
	x.plan()
	err := x.checks(ctx)
	if ctx.Err() != nil {
		return x.report, context.Cause(ctx)
	}
	if err != nil {
		return x.report, err
	}
	err = x.conclude(ctx)
	return x.report, err
}

// plan lists the checks to run, so that clients see the total.
func (x *run) plan() {
	add := func(name Name, subject string) {
		x.report.Checks = append(x.report.Checks, Check{Name: name, Title: titles[name], Subject: subject, State: Pending})
	}
	for _, name := range []Name{CheckSettings, CheckReach, CheckCredentials, CheckAddress, CheckCustomer} {
		add(name, "")
	}
	portals, _ := icims.ParsePortalURLsOf(x.Customer, x.Conn.PortalURLs, x.Hosts()) // CheckSettings reports the error
	for _, p := range portals {
		add(CheckPortal, p.Portal)
	}
	for _, name := range []Name{
		CheckSearch, CheckPerson, CheckWorkflow, CheckQuota, CheckTest, CheckTestWorkflow, CheckStored, CheckFolder, CheckVisible, CheckSearchMany, CheckPair,
	} {
		add(name, "")
	}
}

// checks runs the checks. It returns an error of Redis, or if another run of the task has started.
func (x *run) checks(ctx context.Context) error {
	stop, err := x.account(ctx)
	if err != nil {
		return err
	}
	for i := range x.report.Checks {
		c := x.report.Checks[i]
		if c.State != Pending {
			continue
		}
		if stop {
			x.set(i, verdict{state: Skipped, code: CodeNeedsEarlier}, 0)
			continue
		}
		v, err := x.one(ctx, i, func(ctx context.Context) verdict { return x.check(ctx, c) })
		if err != nil {
			return err
		}
		// What is refused to all calls is refused to the later checks too.
		stop = v.state == Failed && (passing(v.code) || slices.Contains(ofAccount, v.code))
	}
	return nil
}

// check runs a check that needs access.
func (x *run) check(ctx context.Context, c Check) verdict {
	switch c.Name {
	case CheckPortal:
		return x.portal(ctx, c.Subject)
	case CheckSearch:
		return x.search(ctx)
	case CheckPerson:
		return x.personSchema(ctx)
	case CheckWorkflow:
		return x.workflowSchema(ctx)
	case CheckQuota:
		return x.quota(ctx)
	case CheckTest:
		return x.test(ctx)
	case CheckStored, CheckFolder, CheckVisible, CheckSearchMany, CheckPair:
		return x.afterTest(ctx, c.Name)
	default: // CheckTestWorkflow: set with CheckTest
		return verdict{state: Skipped, code: CodeNeedsEarlier}
	}
}

// one runs a check and reports its start and its result.
func (x *run) one(ctx context.Context, i int, check func(context.Context) verdict) (verdict, error) {
	x.report.Checks[i].State = Running
	if err := x.tell(ctx); err != nil {
		return verdict{}, err
	}
	start, calls := time.Now(), x.CallsMade()
	v := check(ctx)
	if ctx.Err() != nil {
		return v, context.Cause(ctx)
	}
	x.report.Checks[i].Took = time.Since(start).Milliseconds()
	x.set(i, v, x.CallsMade()-calls)
	return v, x.tell(ctx)
}

// set records the result of a check.
func (x *run) set(i int, v verdict, calls int) {
	c := &x.report.Checks[i]
	c.State, c.Code, c.Found, c.Calls = v.state, v.code, v.found, calls
	c.Cause, c.Remedy = v.cause, v.remedy
	if c.Cause == "" {
		c.Cause = v.code.Info().Cause
	}
	if c.Remedy == "" {
		c.Remedy = v.code.remedy(x.verifier.Egress)
	}
	// A check may fail without a refusal: then the error is a nil *icims.Error.
	if e, isCall := errors.AsType[*icims.Error](v.err); isCall && e != nil {
		c.Status, c.Transaction = e.Status, e.Transaction
	}
	level := zerolog.InfoLevel
	if v.state == Failed {
		level = zerolog.WarnLevel
	}
	x.Log.WithLevel(level).Str("check", string(c.Name)).Str("state", string(v.state)).Str("code", string(v.code)).Int("calls", calls).Msg("verified")
}

// place returns the index of a check in the report.
func (x *run) place(name Name) int {
	for i, c := range x.report.Checks {
		if c.Name == name {
			return i
		}
	}
	return -1
}

func (x *run) tell(ctx context.Context) error { return x.Report(ctx, x.report) }

func (x *run) now() time.Time {
	if x.verifier.Now != nil {
		return x.verifier.Now()
	}
	return time.Now()
}

// lag returns how long to search for the test candidate.
func (x *run) lag() time.Duration { return cmp.Or(x.verifier.Lag, store.MaxSearchLag) }

// rest waits without blocking other verifications.
func (x *run) rest(ctx context.Context, d time.Duration) error {
	if x.verifier.Rest != nil {
		return x.verifier.Rest(ctx, x.Run, d)
	}
	return x.Rest(ctx, d)
}

// tries is how often a call with a temporary failure is made.
const tries = 2

// again is the pause before a retry.
const again = time.Second

// called makes a call and retries it once if that may help. It returns nil or a client error.
func called(ctx context.Context, call func() error) *icims.Error {
	for try := 1; ; try++ {
		err := call()
		if err == nil {
			return nil
		}
		e, isCall := errors.AsType[*icims.Error](err)
		if !isCall {
			return &icims.Error{Op: "verify", Class: icims.ClassPermanent, Reason: icims.ReasonBadRequest, Err: err}
		}
		if e.Class != icims.ClassRetry || try == tries || ctx.Err() != nil {
			return e
		}
		pause := time.NewTimer(again)
		select {
		case <-pause.C:
		case <-ctx.Done():
			pause.Stop()
			return e
		}
	}
}
