package console

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/seekout/icims-export/api"
	"github.com/seekout/icims-export/internal/prose"
	"github.com/seekout/icims-export/operate"
	"github.com/seekout/icims-export/store"
)

// lanePage is one customer: how it stands, and what may be done about it.
type lanePage struct {
	laneRow

	Detail operate.LaneDetail
	// Happened is what happened last, the latest first.
	Happened   []operate.Happening
	Batches    []laneBatch
	MayOperate bool
	Form       holdForm
	// Unconnected: the customer has no connection, as far as is known here.
	Unconnected bool
}

// laneBatch is an open batch and its forecast in words.
type laneBatch struct {
	operate.OpenBatch

	Foretold string
}

// Ended is how many of its exports have ended.
func (b laneBatch) Ended() int { return b.Accepted - b.Moving() }

// holdForm is what was entered to pause or to resume.
type holdForm struct {
	Why, For, Until string
	Refused         *Refusal
}

// pauseTimes are how long a pause can last, beside one until a time of its own.
var pauseTimes = []struct {
	For  time.Duration
	Name string
}{
	{15 * time.Minute, "15 minutes"}, {time.Hour, "1 hour"}, {4 * time.Hour, "4 hours"}, {12 * time.Hour, "12 hours"}, {24 * time.Hour, "24 hours"},
}

// Times are the choices of the form.
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
		p.Batches = append(p.Batches, laneBatch{b, prose.Sentence(operate.Foretold(b.Forecast, v.Now(), p.Detail.Kept()))})
	}
	return p, nil
}

// findConnection finds out whether there is one. A customer without may be in a file that
// only the workers have, which is known by what was called.
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

// Stands is the state in a sentence, for the head of the page.
func (p lanePage) Stands() string {
	return map[operate.LaneState]string{
		operate.LaneOpen: "Exports are being worked on.", operate.LaneWaiting: "Exports wait for a worker to take them up.",
		operate.LaneLater: "All exports wait for a time of their own.", operate.LaneIdle: "There is nothing to be done.", operate.LaneUnreadable: "The customer's keys in Redis cannot be read.",
		operate.LanePaused: p.Why(), operate.LaneClosed: p.Why(), operate.LaneFailing: p.Why(),
	}[p.State]
}

// Paused reports whether there is a pause that can be ended.
func (p lanePage) Paused() bool { return p.State == operate.LanePaused || len(p.PausedInWeb) > 0 }

// Kept is how many of the calls left are kept for small batches.
func (p lanePage) Kept() int { return min(p.Calls.Reserve, p.Calls.Left) }

var (
	saidPaused  = say("paused", "The lane is paused: what is in the middle of its calls finishes, all else waits.")
	saidResumed = say("resumed", "The lane is resumed: its exports go on as fast as iCIMS allows.")
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

// whyIn refuses a change that nobody gives a reason for; field is the reason's place in
// the API's request.
func whyIn(why, field string) error {
	if why != "" {
		return nil
	}
	return &Refusal{Status: http.StatusUnprocessableEntity, Problem: api.Problem{
		Title: "nothing was changed", Errors: []api.FieldProblem{{Field: field, Problem: "is missing", Remedy: "say why it is done: it is recorded with who did it"}},
	}}
}

// held shows the lane again, after a pause or a resumption or with why there is none.
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

// until is when the pause ends; zero for when somebody resumes.
func (f holdForm) until(now time.Time) (time.Time, error) {
	wrong := func(problem, remedy string) error {
		return &Refusal{Status: http.StatusUnprocessableEntity, Problem: api.Problem{
			Title: "the pause was not made", Errors: []api.FieldProblem{{Field: "until", Problem: problem, Remedy: remedy}},
		}}
	}
	switch {
	case f.Until != "" && f.For != "":
		return time.Time{}, wrong("is given beside a duration", "choose one of the two")
	case f.For != "":
		d, err := time.ParseDuration(f.For)
		if err != nil || d <= 0 {
			return time.Time{}, wrong("is no duration", "choose one of those there are")
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
	return time.Time{}, wrong("is no time", "give it as 2026-11-22T18:30, in UTC")
}
