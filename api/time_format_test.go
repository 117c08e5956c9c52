package api

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seekout/icims-export/internal/testrig"
)

func TestTimesAreInUTCAndMilliseconds(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 22, 18, 2, 11, 123_456_789, time.FixedZone("CET", 3600))
	type Leaf struct {
		At   time.Time `json:"at,omitzero"`
		Name string    `json:"name"`
		kept int
	}
	type tree struct {
		Leaf

		Until  *time.Time      `json:"until"`
		Never  *time.Time      `json:"never"`
		Leaves []Leaf          `json:"leaves"`
		ByName map[string]Leaf `json:"by_name"`
		Any    any             `json:"any"`
		Bare   Leaf            `json:"bare"`
	}
	given := tree{Leaf{at, "a", 7}, &at, nil, []Leaf{{at, "b", 0}}, map[string]Leaf{"c": {At: at}}, Leaf{At: at}, Leaf{}}
	text, err := json.Marshal(convertTimes(&given))
	const (
		when = `"2026-11-22T17:02:11.123Z"`
		want = `{"at":` + when + `,"name":"a","until":` + when + `,"never":null,"leaves":[{"at":` + when + `,"name":"b"}],"by_name":{"c":{"at":` + when + `,"name":""}},"any":{"at":` + when + `,"name":""},"bare":{"name":""}}`
	)
	if err != nil || string(text) != want {
		t.Errorf("got  %s, %v\nwant %s", text, err, want)
	}
	if !given.Until.Equal(at) || given.Leaves[0].At != at || given.ByName["c"].At != at {
		t.Error("what was given is changed")
	}
	if convertTimes(nil) != nil || convertTimes("x") != "x" || given.kept != 7 {
		t.Error("what has no times is changed")
	}
}

// TestEveryRouteFormatsTimesAlike reads everything of a customer.
func TestEveryRouteFormatsTimesAlike(t *testing.T) {
	t.Parallel()
	r := newRig(t, withoutRateLimits)
	receipt := r.withEverything(mine)
	key := r.key(ScopeAdmin)
	r.call(key, http.MethodPost, "/v1/customers/"+mine+"/lane/pause", map[string]any{"why": "a test", "until": time.Now().Add(time.Hour)}).is(http.StatusOK, nil)
	found := 0
	for _, o := range r.ops {
		if o.Method != http.MethodGet || o.raw {
			continue
		}
		a := r.call(key, o.Method, pathOf(o, mine, string(receipt.Batch)), nil)
		var body any
		if json.Unmarshal(a.body, &body) != nil {
			continue
		}
		eachText(body, func(text string) {
			at, err := time.Parse(time.RFC3339Nano, text)
			if err != nil {
				return
			}
			if found++; text != at.UTC().Truncate(time.Millisecond).Format(time.RFC3339Nano) {
				t.Errorf("%s answers %s", o.ID, text)
			}
		})
	}
	const fewest = 10
	if found < fewest {
		t.Errorf("only %d times were seen", found)
	}
}

func eachText(v any, visit func(string)) {
	switch v := v.(type) {
	case string:
		visit(v)
	case []any:
		for _, element := range v {
			eachText(element, visit)
		}
	case map[string]any:
		for _, element := range v {
			eachText(element, visit)
		}
	}
}

func TestResubmittedBatchGetsTheSameReceipt(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.connect("1234")
	key := r.key(ScopeExport)
	var sent Sent
	call := func(name, body string) *reply {
		return r.call(key, http.MethodPost, "/v1/customers/1234/exports?job=7", body, "Content-Type", "application/x-ndjson", "Idempotency-Key", name)
	}
	send := func(status int, body string) { call("k", body).is(status, &sent) }
	status := func() (b BatchStatus) {
		r.call(key, http.MethodGet, "/v1/customers/1234/batches/"+string(sent.Batch), nil).is(http.StatusOK, &b)
		return b
	}
	send(http.StatusAccepted, row("c-1"))
	before := status()
	testrig.Eventually(t, "a millisecond has passed", func() bool { return time.Since(before.Closed) > 2*time.Millisecond })
	send(http.StatusOK, row("c-1"))
	after := status()
	before.Forecast.Done, after.Forecast.Done = time.Time{}, time.Time{} // no worker is active
	if diff := cmp.Diff(before, after); diff != "" {
		t.Errorf("-before +after:\n%s", diff)
	}
	// The interrupted batch is completed later.
	sent = *call("another", row("c-1")+"\n{").problem(CodeIncomplete).Receipt
	before = status()
	testrig.Eventually(t, "a millisecond has passed again", func() bool { return time.Since(before.Closed) > 2*time.Millisecond })
	call("another", row("c-1")+"\n"+row("c-2")).is(http.StatusAccepted, &sent)
	if more := status(); !more.Closed.After(before.Closed) || more.Accepted != 2 {
		t.Errorf("with another row: %+v", more.Batch)
	}
	var dry DryRun
	r.call(key, http.MethodPost, "/v1/customers/1234/exports?job=7&dry_run=true", row("c-1"), "Content-Type", "application/x-ndjson").is(http.StatusOK, &dry)
	if !dry.Forecast.Resets.Equal(before.Forecast.Resets) {
		t.Errorf("resets moves from %s to %s", before.Forecast.Resets, dry.Forecast.Resets)
	}
}
