package console

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/api"
	"github.com/seekout/icims-export/internal/prose"
	"github.com/seekout/icims-export/store"
)

// lanePage is one customer's lane with its actions.
type lanePage struct {
	laneRow

	Detail admin.LaneDetail
	// Happened is the recent activity, newest first.
	Happened   []admin.Activity
	Batches    []laneBatch
	MayOperate bool
	Form       holdForm
	// Unconnected means that no connection of the customer is known here.
	Unconnected bool
}

// laneBatch is an open batch and its forecast in words.
type laneBatch struct {
	admin.OpenBatch

	Foretold string
}

// Ended returns how many of its exports have ended.
func (b laneBatch) Ended() int { return b.Accepted - b.Moving() }

// holdForm is the input of the pause and resume forms.
type holdForm struct {
	Why, For, Until string
	Refused         *Refusal
}

// pauseTimes are the durations that the pause form offers.
var pauseTimes = []struct {
	For  time.Duration
	Name string
}{
	{15 * time.Minute, "15 minutes"}, {time.Hour, "1 hour"}, {4 * time.Hour, "4 hours"}, {12 * time.Hour, "12 hours"}, {24 * time.Hour, "24 hours"},
}

// Times returns the choices of the form.
func (f holdForm) Times() []pauseTime {
	times := make([]pauseTime, len(pauseTimes))
	for i, t := range pauseTimes {
		times[i] = pauseTime{t.For.String(), t.Name, t.For.String() == f.For}
	}
	return times
}

type pauseTime struct {
	Value, Name string
	Chosen      bool
}

func lanePath(customer string) string { return "/customers/" + customer + "/lane" }

func (v *visit) showLane() error {
	p, err := v.lane(holdForm{})
	if err != nil {
		return err
	}
	if err := v.findConnection(&p); err != nil {
		return err
	}
	if v.byHTMX() {
		return v.part("lane", "lane-now", p)
	}
	return v.page("lane", "Lane", p)
}

func (v *visit) lane(form holdForm) (lanePage, error) {
	p := lanePage{Form: form, MayOperate: v.May(api.ScopeOperate)}
	if err := v.get(v.customerPath("lane"), nil, &p.Detail); err != nil {
		return p, err
	}
	clock := v.clock()
	p.laneRow = laneRow{p.Detail.Lane, clock}
	p.Happened = p.Detail.Happened(clock)
	for _, b := range p.Detail.Batches {
		p.Batches = append(p.Batches, laneBatch{b, prose.Sentence(admin.ForecastText(b.Forecast, v.Now(), p.Detail.Kept()))})
	}
	return p, nil
}

// findConnection reads whether the customer has a connection. A customer without one may be in a
// file that only the workers have; calls made for it show that.
func (v *visit) findConnection(p *lanePage) error {
	var c api.Connection
	err := v.get(v.customerPath("connection"), nil, &c)
	if refused, ok := refusalOf(err); ok {
		p.Unconnected = refused.Code == api.CodeNoConnection && p.LastGood.IsZero()
		return nil
	}
	p.Unconnected = c.State == string(store.ConnectionRemoved)
	return err
}

// Stands returns the state as a sentence, for the head of the page.
func (p lanePage) Stands() string {
	return map[admin.LaneState]string{
		admin.LaneOpen: "Exports are in progress.", admin.LaneWaiting: "Exports are waiting for a worker.",
		admin.LaneLater: "All exports are scheduled for later.", admin.LaneIdle: "No exports.", admin.LaneUnreadable: "The customer's keys in Redis are unreadable.",
		admin.LanePaused: p.Why(), admin.LaneClosed: p.Why(), admin.LaneFailing: p.Why(),
	}[p.State]
}

// Paused reports whether there is a pause to end.
func (p lanePage) Paused() bool { return p.State == admin.LanePaused || len(p.PausedInWeb) > 0 }

// Kept returns how many of the remaining calls are reserved for small batches.
func (p lanePage) Kept() int { return min(p.Calls.Reserve, p.Calls.Left) }

var (
	saidPaused  = say("paused", "Lane paused. Running exports finish, all others wait.")
	saidResumed = say("resumed", "Lane resumed.")
)

func (v *visit) pauseLane() error {
	form := holdForm{Why: v.r.PostFormValue("why"), For: v.r.PostFormValue("for"), Until: v.r.PostFormValue("until")}
	body := struct {
		Why   string    `json:"why"`
		Until time.Time `json:"until,omitzero"`
	}{Why: strings.TrimSpace(form.Why)}
	err := whyIn(body.Why, "why")
	if err == nil {
		body.Until, err = form.until(v.Now())
	}
	if err == nil {
		err = v.post(v.customerPath("lane", "pause"), body, nil)
	}
	return v.held(err, form, saidPaused)
}

func (v *visit) resumeLane() error {
	form := holdForm{Why: v.r.PostFormValue("why")}
	why := strings.TrimSpace(form.Why)
	err := whyIn(why, "why")
	if err == nil {
		err = v.post(v.customerPath("lane", "resume"), map[string]string{"why": why}, nil)
	}
	return v.held(err, form, saidResumed)
}

// whyIn refuses a change without a reason; field is the reason's place in
// the API's request.
func whyIn(why, field string) error {
	if why != "" {
		return nil
	}
	return &Refusal{Status: http.StatusUnprocessableEntity, Problem: api.Problem{
		Title: "nothing was changed", Errors: []api.FieldProblem{{Field: field, Problem: "is missing", Remedy: "Enter a reason for the audit log"}},
	}}
}

// held shows the lane again after a pause or resume, or after an error.
func (v *visit) held(err error, form holdForm, did string) error {
	refused, ok := refusalOf(err)
	if err != nil && (!ok || refused.Status == http.StatusUnauthorized) {
		return err
	}
	if err == nil {
		return v.redirect(lanePath(v.Customer), did)
	}
	form.Refused = refused
	p, err := v.lane(form)
	if err != nil {
		return errors.Join(refused, err)
	}
	if err := v.findConnection(&p); err != nil {
		return errors.Join(refused, err)
	}
	return v.pageWith(refused, "lane", "Lane", p)
}

// until returns when the pause ends; zero for until resumed.
func (f holdForm) until(now time.Time) (time.Time, error) {
	wrong := func(problem, remedy string) error {
		return &Refusal{Status: http.StatusUnprocessableEntity, Problem: api.Problem{
			Title: "the lane was not paused", Errors: []api.FieldProblem{{Field: "until", Problem: problem, Remedy: remedy}},
		}}
	}
	switch {
	case f.Until != "" && f.For != "":
		return time.Time{}, wrong("cannot be combined with a duration", "Choose one of them")
	case f.For != "":
		d, err := time.ParseDuration(f.For)
		if err != nil || d <= 0 {
			return time.Time{}, wrong("is not a duration", "Choose one from the list")
		}
		return now.Add(d), nil
	case f.Until == "":
		return time.Time{}, nil
	}
	for _, layout := range []string{"2006-01-02T15:04", "2006-01-02T15:04:05", "2006-01-02 15:04"} {
		if t, err := time.Parse(layout, f.Until); err == nil {
			return t, nil
		}
	}
	return time.Time{}, wrong("is not a valid time", "Enter it like 2026-11-22T18:30, in UTC")
}
