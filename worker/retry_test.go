package worker

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/mapping"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
)

func TestRetryPauses(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		shortest := time.Duration(rapid.Int64Range(1, int64(time.Minute)).Draw(t, "min"))
		longest := shortest * time.Duration(rapid.IntRange(2, 1000).Draw(t, "ratio"))
		r := retries{min: shortest, max: longest, random: rand.Float64}
		n := rapid.IntRange(0, 200).Draw(t, "failures")
		pause := r.pause(n)
		if pause < shortest || pause > longest {
			t.Fatalf("pause %s after %d failures, want between %s and %s", pause, n, shortest, longest)
		}
		// The ceiling doubles with each failure.
		if ceiling := float64(shortest) * 2 * pow2(n); float64(pause) > ceiling {
			t.Fatalf("pause %s after %d failures, over the ceiling", pause, n)
		}
	})
}

func pow2(n int) float64 {
	p := 1.0
	for range n {
		p *= 2
	}
	return p
}

func TestRetriesSpread(t *testing.T) {
	r := retries{min: time.Second, max: time.Hour, random: rand.Float64}
	seen := map[time.Duration]bool{}
	for range 100 {
		seen[r.pause(8)] = true
	}
	if len(seen) < 50 {
		t.Errorf("100 exports that failed together are retried at %d different times", len(seen))
	}
}

func TestRetryDecisions(t *testing.T) {
	r := retries{min: 5 * time.Second, max: time.Hour, budget: 24 * time.Hour, settle: 90 * time.Second, random: rand.Float64}
	cases := []struct {
		name       string
		claim      store.Claim
		o          outcome
		kind       kind
		reason     store.Reason
		from, upTo time.Duration
	}{
		{"a first failure is retried soon", store.Claim{}, outcome{kind: retry, reason: "icims_timeout"}, retry, "icims_timeout", 5 * time.Second, 10 * time.Second},
		{"iCIMS's Retry-After is used", store.Claim{}, outcome{kind: retry, after: time.Minute}, retry, "", time.Minute, time.Minute},
		{"Retry-After is capped", store.Claim{}, outcome{kind: retry, after: 9 * time.Hour}, retry, "", time.Hour, time.Hour},
		{"a lost response waits for the settle time", store.Claim{}, outcome{kind: unknown}, unknown, "", 91 * time.Second, 91 * time.Second},
		{"within the budget", store.Claim{Attempts: 30, Failing: 23 * time.Hour}, outcome{kind: retry}, retry, "", 5 * time.Second, time.Hour},
		{"beyond the budget", store.Claim{Attempts: 30, Failing: 25 * time.Hour}, outcome{kind: retry, reason: "icims_timeout"}, dead, store.ReasonBudgetSpent, 0, 0},
		{"a lost response beyond the budget settles first", store.Claim{Attempts: 30, Failing: 25 * time.Hour}, outcome{kind: unknown, reason: store.ReasonWriteSettling}, unknown, store.ReasonWriteSettling, 91 * time.Second, time.Hour},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got := r.decide(&c.claim, c.o)
			if got.kind != c.kind || got.reason != c.reason || got.after < c.from || got.after > c.upTo {
				t.Errorf("%s %q after %s", got.kind, got.reason, got.after)
			}
		})
	}
}

func TestFailedCalls(t *testing.T) {
	cases := []struct {
		err    error
		kind   kind
		reason store.Reason
	}{
		{&icims.Error{Class: icims.ClassRetry, Reason: icims.ReasonTimeout}, retry, "icims_timeout"},
		{&icims.Error{Class: icims.ClassRetry, Reason: icims.ReasonCanceled}, deferred, store.ReasonShuttingDown},
		{&icims.Error{Class: icims.ClassUnknown, Reason: icims.ReasonTimeout}, unknown, store.ReasonWriteSettling},
		{&icims.Error{Class: icims.ClassDefer, Reason: icims.ReasonQuotaExhausted}, deferred, "icims_quota_exhausted"},
		{&icims.Error{Class: icims.ClassCredentials, Reason: icims.ReasonCredentials, Status: 401}, deferred, "icims_credentials"},
		{&icims.Error{Class: icims.ClassAccess, Reason: icims.ReasonAccessDenied, Status: 403}, deferred, "icims_access_denied"},
		{&icims.Error{Class: icims.ClassAccess, Reason: icims.ReasonAccessDenied, Status: 404}, dead, "icims_access_denied"},
		{&icims.Error{Class: icims.ClassPermanent, Reason: icims.ReasonFieldRequired, Status: 400}, dead, "icims_field_required"},
		{errors.New("something else"), retry, store.ReasonInternal},
	}
	for _, c := range cases {
		if o := failed(fmt.Errorf("wrapped: %w", c.err)); o.kind != c.kind || o.reason != c.reason {
			t.Errorf("%v: %s %s, want %s %s", c.err, o.kind, o.reason, c.kind, c.reason)
		}
	}
}

func TestEveryReasonOfTheClientIsExplained(t *testing.T) {
	known := map[store.Reason]bool{}
	for _, r := range store.Reasons() {
		known[r] = true
	}
	for _, r := range icims.Reasons() {
		if !known[store.Reason(r)] {
			t.Errorf("%s is not explained in store/reason.go", r)
		}
	}
}

// asynq repeats a failed acknowledgement with a context that has ended.
func TestAckGuard(t *testing.T) {
	client := redistest.Shared(t).Client(t)
	script := redis.NewScript("return redis.call('INCR', KEYS[1])")
	if err := script.Load(t.Context(), client).Err(); err != nil {
		t.Fatal(err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := client.EvalSha(ended, script.Hash(), []string{"n"}).Err(); err == nil {
		t.Fatal("without the guard, a script runs after its context has ended")
	}
	if n, err := (ackGuard{client}).EvalSha(ended, script.Hash(), []string{"n"}).Int(); n != 1 || err != nil {
		t.Errorf("with the guard: %d, %v", n, err)
	}
}

func TestInvalidTasksAreArchived(t *testing.T) {
	for _, payload := range []string{"", "{}", `{"customer":"acme","export":"x"}`, `{"customer":"1234"}`} {
		err := (&handler{lane: &lane{}}).ProcessTask(t.Context(), asynq.NewTask("icims:export", []byte(payload)))
		if !errors.Is(err, asynq.SkipRetry) {
			t.Errorf("%q: %v", payload, err)
		}
	}
}

func TestTenantLearnsFromRefusals(t *testing.T) {
	refuse := func(fields ...string) *icims.Error {
		e := &icims.Error{Reason: icims.ReasonFieldRefused, Status: http.StatusBadRequest}
		for _, f := range fields {
			e.Problems = append(e.Problems, icims.Problem{Code: 4, Field: f})
		}
		return e
	}
	body := func() icims.Fields {
		return icims.Fields{
			"firstname": "x", "email": "x",
			"phones":         []icims.Fields{{"phonenumber": "1", "phonetype": icims.Fields{"value": "Mobile"}}},
			"workexperience": []icims.Fields{{"workemployer": "x"}},
		}
	}
	cases := []struct {
		name     string
		err      *icims.Error
		ok       bool
		gone     string
		warnings string
	}{
		{"the collection by name", refuse("workexperience"), true, "workexperience", "field_refused:workexperience,work_experience_owed"},
		{"the collection by one of its children", refuse("workemployer"), true, "workexperience", "field_refused:workexperience,work_experience_owed"},
		{"the collection by a path", refuse("workexperience.workemployer"), true, "workexperience", "field_refused:workexperience,work_experience_owed"},
		{"the collection by a path with an index", refuse("workexperience[0].workemployer"), true, "workexperience", "field_refused:workexperience,work_experience_owed"},
		{"a phone type drops only the type", refuse("phonetype"), true, "", "phone_type_dropped"},
		{"a phone number drops the phones, not the type", refuse("phones.phonenumber"), true, "phones", "field_refused:phones"},
		{"a field required of every person", refuse("email"), false, "", ""},
		{"a field that was not sent", refuse("gender"), false, "", ""},
		{"no field at all drops what is optional, and holds entries", refuse(), true, "phones", ""},
		{"a field that is required", &icims.Error{Reason: icims.ReasonFieldRequired, Problems: []icims.Problem{{Code: 1, Field: "workexperience"}}}, false, "", ""},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			tenant := newTenant(store.Connection{}, time.Minute)
			r := request{fields: body()}
			ws, ok := tenant.dropRefused(&r, c.err)
			f := r.fields
			if ok != c.ok || mapping.WarningSet(ws).Codes() != c.warnings {
				t.Fatalf("%v, warnings %v", ok, ws)
			}
			if _, still := f[c.gone]; ok && c.gone != "" && still {
				t.Errorf("%s is still sent", c.gone)
			}
			if ok && c.gone == "" && hasPhoneTypes(f) {
				t.Error("the phone still has its type")
			}
		})
	}
}

func TestOneRefusedPhoneIsLeftOut(t *testing.T) {
	phone := icims.Fields{"phonenumber": "1", "phonetype": icims.Fields{"value": "Mobile"}}
	for named, want := range map[string]struct {
		left     int
		warnings string
	}{
		"phonetype":          {1, "phone_type_dropped"},
		"phones.phonetype":   {1, "phone_type_dropped"},
		"phonenumber":        {0, "field_refused:phones"},
		"phones.phonenumber": {0, "field_refused:phones"},
	} {
		tenant := newTenant(store.Connection{}, time.Minute)
		r := request{collection: mapping.FieldPhones, fields: phone}
		ws, ok := tenant.dropRefused(&r, &icims.Error{Reason: icims.ReasonFieldRefused, Problems: []icims.Problem{{Code: 4, Field: named}}})
		if !ok || len(r.fields) != want.left || mapping.WarningSet(ws).Codes() != want.warnings {
			t.Errorf("%s: %v left, warnings %v, %v", named, r.fields, ws, ok)
		}
	}
}
