package api

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/internal/testrig"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
)

func TestLanesOverTheAPI(t *testing.T) {
	r := newRig(t)
	batch, ids := r.acceptCandidates("1234", 1709, 0, 30)
	testrig.Enqueue(t, r.redis, r.Ledger, "1234", ids[0])
	r.acceptCandidates("77", 0, 0, 0)
	if err := r.Ledger.Lanes.Pause(t.Context(), "5", store.Pause{By: "ana", Why: "go-live"}); err != nil {
		t.Fatal(err)
	}
	all := r.key(ScopeRead)
	for name, c := range map[string]struct {
		key, query string
		want       string
	}{
		"those with work or a reason to wait": {all, "", "5 paused,1234 waiting"},
		"all":                                 {all, "all=true", "5 paused,77 idle,1234 waiting"},
		"page by page":                        {all, "all=true&limit=2", "5 paused,77 idle|1234 waiting"},
		"of a key's customers":                {r.key(ScopeRead, "1234", "77"), "all=true", "77 idle,1234 waiting"},
		"of one without exports":              {r.key(ScopeRead, "99"), "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			var pages []string
			for cursor := ""; ; {
				var page admin.LaneList
				r.call(c.key, http.MethodGet, "/v1/lanes?"+c.query+cursor, nil).is(http.StatusOK, &page)
				var lanes []string
				for _, l := range page.Lanes {
					lanes = append(lanes, l.Customer+" "+string(l.State))
				}
				pages = append(pages, strings.Join(lanes, ","))
				if page.Next == "" {
					break
				}
				cursor = "&cursor=" + page.Next
			}
			if got := strings.Join(pages, "|"); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
	t.Run("one has its open batches with their forecast", func(t *testing.T) {
		var l admin.LaneDetail
		r.call(all, http.MethodGet, "/v1/customers/1234/lane", nil).is(http.StatusOK, &l)
		if len(l.Batches) != 1 || l.Batches[0].ID != batch || l.Batches[0].Forecast.Calls == 0 {
			t.Errorf("got %+v", l)
		}
	})
}

func TestPauseOverTheAPI(t *testing.T) {
	r := newRig(t)
	r.acceptCandidates("1234", 1709, 0, 3)
	operator := r.key(ScopeOperate, "1234")
	const lane = "/v1/customers/1234/lane"
	until := time.Now().Add(time.Hour).Truncate(time.Second).UTC()
	for name, c := range map[string]struct {
		path  string
		body  any
		code  Code
		field string
	}{
		"a pause without a why":          {"/pause", map[string]any{}, CodeInvalid, "why"},
		"a why of blanks":                {"/pause", map[string]any{"why": "  "}, CodeInvalid, "why"},
		"a time that is over":            {"/pause", map[string]any{"why": "x", "until": "2020-01-01T00:00:00Z"}, CodeInvalid, "until"},
		"a time that is none":            {"/pause", map[string]any{"why": "x", "until": "18:30"}, CodeInvalid, "until"},
		"a resumption without a why":     {"/resume", map[string]any{"why": " "}, CodeInvalid, "why"},
		"a resumption without any body":  {"/resume", nil, CodeMalformed, ""},
		"a pause with what is not known": {"/pause", map[string]any{"why": "x", "for": "2h"}, CodeInvalid, "body"},
	} {
		t.Run(name, func(t *testing.T) {
			p := r.call(operator, http.MethodPost, lane+c.path, c.body).problem(c.code)
			if c.field != "" && (len(p.Errors) != 1 || p.Errors[0].Field != c.field) {
				t.Errorf("got %+v", p.Errors)
			}
		})
	}
	pause, err := r.Ledger.Lanes.PauseOf(t.Context(), "1234")
	if err != nil || pause != nil {
		t.Fatalf("a refused pause holds: %+v, %v", pause, err)
	}
	var got admin.Paused
	r.call(operator, http.MethodPost, lane+"/pause", map[string]any{"why": "go-live", "until": until}).is(http.StatusOK, &got)
	if got.Hold.State != admin.LanePaused || got.Before != nil || !got.Pause.Until.Equal(until) {
		t.Errorf("paused: %+v", got)
	}
	if pause, err = r.Ledger.Lanes.PauseOf(t.Context(), "1234"); err != nil || pause == nil || pause.By != "test operate" || pause.Why != "go-live" || !pause.Until.Equal(until) {
		t.Errorf("the pause is %+v, %v", pause, err)
	}
	testrig.Enqueue(t, r.redis, r.Ledger, "1234", "x")
	paused := func() (all []bool) {
		t.Helper()
		states, err := tasks.ReadQueueStates(t.Context(), r.redis, "1234")
		if err != nil {
			t.Fatal(err)
		}
		return []bool{states[0].Express.Paused, states[0].Normal.Paused, states[0].Large.Paused}
	}
	if got := paused(); slices.Contains(got, false) {
		t.Errorf("of the customer's queues are paused: %v", got)
	}
	got = admin.Paused{}
	r.call(operator, http.MethodPost, lane+"/resume", map[string]any{"why": "it went well"}).is(http.StatusOK, &got)
	if got.Before == nil || got.Before.Why != "go-live" || got.Pause != nil || got.Hold.Keeps() || slices.Contains(paused(), true) {
		t.Errorf("resumed: %+v", got)
	}
	var told []string
	for _, e := range r.journalOf("1234") {
		told = append(told, fmt.Sprintf("%s %s %s", e.What, e.Outcome, e.Why))
	}
	if text := strings.Join(told, "; "); !strings.HasSuffix(text, "pause-lane asked go-live; pause-lane done go-live; resume-lane asked it went well; resume-lane done it went well") || !strings.Contains(text, "pause-lane refused") {
		t.Errorf("journal: %s", text)
	}
}

func TestUnknownCustomerIsPausedWithAWarning(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.connect("5")
	r.acceptCandidates("6", 1709, 0, 1)
	r.connect("7")
	if err := r.Ledger.Connections.Remove(t.Context(), "7", 0, "a test", ""); err != nil {
		t.Fatal(err)
	}
	operator := r.key(ScopeOperate)
	for customer, warned := range map[string]bool{"4": true, "5": false, "6": false, "7": false} {
		var got admin.Paused
		r.call(operator, http.MethodPost, "/v1/customers/"+customer+"/lane/pause", map[string]any{"why": "go-live"}).is(http.StatusOK, &got)
		if (got.Warning != "") != warned || got.Hold.State != admin.LanePaused {
			t.Errorf("customer %s: warning %q, %s", customer, got.Warning, got.Hold.State)
		}
	}
}

func TestCancelAllExportsOverTheAPI(t *testing.T) {
	r := newRig(t)
	_, ids := r.acceptCandidates("1234", 1709, 0, 4)
	r.acceptCandidates("1234", 0, 10, 2)
	r.acceptCandidates("77", 0, 0, 2)
	r.makeDead("1234", "job_not_found", testrig.NoJob, ids[0])
	if _, err := r.Ledger.Claim(t.Context(), store.Ref{Customer: "1234", Export: ids[1]}, store.ClaimOptions{Lease: time.Minute}); err != nil {
		t.Fatal(err)
	}
	operator := r.key(ScopeOperate)
	const path = "/v1/customers/1234/cancel"
	r.call(operator, http.MethodPost, path, map[string]any{}).problem(CodeInvalid)
	want := store.Cancellation{Cancelled: 4, Busy: 1, Dead: 1}
	for _, body := range []map[string]any{{"dry_run": true}, {"why": "the wrong list"}} {
		var got store.Cancellation
		r.call(operator, http.MethodPost, path, body).is(http.StatusOK, &got)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%v (-want +got):\n%s", body, diff)
		}
	}
	if live, err := r.Ledger.Recovery.Live(t.Context(), "1234"); err != nil || live != 1 {
		t.Errorf("%d exports move, %v", live, err)
	}
	if live, _ := r.Ledger.Recovery.Live(t.Context(), "77"); live != 2 {
		t.Errorf("another customer has %d moving exports, want 2", live)
	}
}
