package console

import (
	"cmp"
	"net/url"
	"strconv"
	"strings"

	"github.com/seekout/icims-export/api"
	"github.com/seekout/icims-export/readback"
	"github.com/seekout/icims-export/store"
)

func (c *Console) registerReadBack() {
	c.handle("GET /connections/{customer}/read-back", "integrations", api.ScopeOperate, (*visit).askReadBack)
	c.handle("POST /customers/{customer}/read-backs", "integrations", api.ScopeOperate, (*visit).startReadBack)
	c.handle("GET /customers/{customer}/read-backs/{read_back}", "integrations", api.ScopeRead, (*visit).readBack)
}

// readBackForm shows the cost of a read-back.
type readBackForm struct {
	Sample, Max int
	Plan        *api.ReadBackPlan
	Refused     *Refusal
}

func (v *visit) askReadBack() error {
	sample, err := strconv.Atoi(v.r.URL.Query().Get("sample"))
	if err != nil || sample < 1 || sample > readback.MaxSample {
		sample = readback.DefaultSample
	}
	return v.showReadBackForm(readBackForm{Sample: sample})
}

func (v *visit) showReadBackForm(form readBackForm) error {
	form.Max = readback.MaxSample
	err := v.get(v.customerPath("read-backs", "plan"), url.Values{"sample": {strconv.Itoa(form.Sample)}}, &form.Plan)
	if err != nil {
		return err
	}
	if form.Refused != nil {
		return v.pageWith(form.Refused, "read-back-ask", "Read back", form)
	}
	return v.page("read-back-ask", "Read back", form)
}

// saidReadBackJoined is shown if another user's read-back is running.
var saidReadBackJoined = say("read-back-joined", "A read-back is already running. It uses its own sample size.")

// startReadBack starts a read-back that costs no more calls than the form showed.
func (v *visit) startReadBack() error {
	sample, _ := strconv.Atoi(strings.TrimSpace(v.r.PostForm.Get("sample")))
	calls, _ := strconv.Atoi(v.r.PostForm.Get("calls"))
	order := api.ReadBackOrder{Sample: cmp.Or(sample, readback.DefaultSample), MaxCalls: calls}
	var started api.StartedReadBack
	err := v.post(v.customerPath("read-backs"), order, &started)
	if refused, ok := refusalOf(err); ok && refused.Code == api.CodeCallsShort {
		refused.Title, refused.Detail = "The cost has changed", "Check the new cost, then start the read-back again."
		return v.showReadBackForm(readBackForm{Sample: order.Sample, Refused: refused})
	}
	if err != nil {
		return err
	}
	said := ""
	if started.Joined {
		said = saidReadBackJoined
	}
	return v.redirect("/customers/"+v.Customer+"/read-backs/"+started.ID, said)
}

// readBackPage is a read-back, running or ended.
type readBackPage struct {
	readback.ReadBack

	MayOperate bool
}

func (v *visit) readBack() error {
	page := readBackPage{MayOperate: v.May(api.ScopeOperate)}
	if err := v.get(v.customerPath("read-backs", v.r.PathValue("read_back")), nil, &page.ReadBack); err != nil {
		return err
	}
	if v.byHTMX() {
		return v.part("read-back", "progress", page)
	}
	return v.page("read-back", "Read-back", page)
}

// Path returns the page's URL.
func (p readBackPage) Path() string { return "/customers/" + p.Customer + "/read-backs/" + p.ID }

// Moves reports whether the read-back has not ended.
func (p readBackPage) Moves() bool { return !p.State.Ended() }

// Waits reports whether no worker has started it.
func (p readBackPage) Waits() bool { return p.State == store.ControlWaiting }

// Outcome returns clean, problems, incomplete or failed.
func (p readBackPage) Outcome() string { return readBackWord(p.ReadBack) }

// Headings returns the column titles.
func (p readBackPage) Headings() []string { return readback.Headings() }

// readBackWord returns the outcome of a read-back as a word.
func readBackWord(v readback.ReadBack) string {
	switch {
	case v.State == store.ControlFailed:
		return "failed"
	case !v.State.Ended():
		return string(v.State)
	case v.Report.Result != readback.ResultComplete:
		return "incomplete"
	case len(v.Violations()) > 0:
		return "problems"
	}
	return "clean"
}
