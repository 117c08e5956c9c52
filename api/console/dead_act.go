package console

import (
	"maps"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/seekout/icims-export/api"
)

// Actions on dead letters, as named in the API's paths.
const (
	actRetry    = "retry"
	actDiscard  = "discard"
	actTransfer = "transfer" // to another job
)

// isDeadAct reports whether text names an action.
func isDeadAct(text string) bool {
	return text == actRetry || text == actDiscard || text == actTransfer
}

// deadOrder is an action with the selected dead letters.
type deadOrder struct {
	deadChoice

	Act string `json:"-"`
	Why string `json:"why,omitempty"`
	// Job is the target job of a transfer; 0 for none.
	Job int64 `json:"job,omitempty"`
	// Warned is the job that the user was warned about; 0 for none.
	Warned int64 `json:"-"`
	// Candidate is the candidate whose page comes next; "" for the list.
	Candidate string `json:"-"`
	// Reviewed is when the letters were counted; zero if they were not.
	Reviewed time.Time `json:"-"`
	DryRun   bool      `json:"dry_run,omitempty"`
}

// deadOrderOf parses an action from a form: selected exports, or all that match a filter. An empty
// selection does not mean all.
func deadOrderOf(act string, form url.Values) deadOrder {
	o := deadOrder{Act: act, Why: strings.TrimSpace(form.Get("why")), Candidate: form.Get("of")}
	o.Reviewed, _ = time.Parse(time.RFC3339Nano, form.Get("reviewed")) // only set by our form
	if act == actTransfer {
		o.Job, _ = pickedJob(form, "job")
		o.Warned = jobID(form.Get("warned"))
	}
	filter := deadFilterOf(form)
	switch {
	case form.Has("export"):
		o.Exports = form["export"]
	case filter.Any():
		o.Filter = &filter
	default:
		o.All = form.Get("all") == "1"
	}
	return o
}

// onlyReviewed excludes letters that failed after the count, since the user has not seen them.
func (o deadOrder) onlyReviewed() deadOrder {
	if o.None() || len(o.Exports) > 0 || o.Reviewed.IsZero() {
		return o
	}
	filter := o.Which()
	filter.Until = o.Reviewed
	o.Filter = &filter
	return o
}

// None reports whether nothing is selected.
func (o deadOrder) None() bool { return o.Filter == nil && len(o.Exports) == 0 && !o.All }

// Which returns the action's filter, for a form.
func (o deadOrder) Which() deadFilter {
	if o.Filter == nil {
		return deadFilter{}
	}
	return *o.Filter
}

// deadReview shows what an action would do, and asks for the reason.
type deadReview struct {
	deadOrder

	Customer string
	Chosen   api.DeadLettersChanged
	Hold     string
	// Picker chooses the target job.
	Picker jobPicker
	// Warning says why the target job may be wrong; "" for none.
	Warning string
	Refused *Refusal
}

// Back returns the URL of the list with the filter.
func (r deadReview) Back() string { return withQuery(deadPath(r.Customer), r.Which().query()) }

// AsOf returns when the letters were counted, for the form.
func (r deadReview) AsOf() string { return r.Chosen.AsOf.Format(time.RFC3339Nano) }

// Heading returns the title of the page.
func (r deadReview) Heading() string {
	switch r.Act {
	case actDiscard:
		return "Discard dead letters?"
	case actTransfer:
		return "Move candidates to another job?"
	}
	return "Retry dead letters?"
}

// reviewDead counts the selected letters and asks for the reason.
func (v *visit) reviewDead() error {
	act := v.r.PostForm.Get("act")
	if !isDeadAct(act) {
		return badForm
	}
	o := deadOrderOf(act, v.r.PostForm)
	if o.None() {
		p, err := v.deadLetters(deadFilter{Reason: v.r.PostForm.Get("in-reason"), Batch: v.r.PostForm.Get("in-batch"), Candidate: v.r.PostForm.Get("in-candidate")}, "")
		if err != nil {
			return err
		}
		p.Refused = &Refusal{Status: http.StatusUnprocessableEntity, Problem: api.Problem{Title: "nothing selected", Detail: "Select dead letters, or retry all of one reason."}}
		return v.pageWith(p.Refused, "dead-letters", "Dead letters", p)
	}
	return v.review(o, nil)
}

var badForm = &Refusal{Status: http.StatusBadRequest, Problem: api.Problem{Title: "the form cannot be read", Detail: "Nothing was changed. Go back and try again."}}

func (v *visit) review(o deadOrder, refused *Refusal) error {
	r := deadReview{deadOrder: o, Customer: v.Customer, Refused: refused}
	if o.Act == actTransfer {
		if err := v.pickJob(&r); err != nil {
			return err
		}
	}
	would, err := v.wouldDo(o)
	if err != nil {
		return err
	}
	r.Chosen, r.Warning = would.DeadLettersChanged, would.JobWarning
	lane, err := v.lane(holdForm{})
	if err != nil {
		return err
	}
	r.Hold = lane.holds()
	if refused != nil {
		return v.pageWith(refused, "dead-review", r.Heading(), r)
	}
	return v.page("dead-review", r.Heading(), r)
}

// wouldDo makes a dry run of any action.
func (v *visit) wouldDo(o deadOrder) (would api.DeadLettersTransferred, err error) {
	o.DryRun, o.Why = true, ""
	if o.Act == actTransfer && o.Job == 0 {
		o.Act = actRetry // selects the same letters, whatever the job
	}
	err = v.post(v.customerPath("dead-letters", o.Act), o, &would)
	return would, err
}

// pickJob adds the target jobs to choose from.
func (v *visit) pickJob(r *deadReview) error {
	_, chosen := pickedJob(v.r.PostForm, "job")
	var err error
	if r.Picker, err = v.jobPicker("job", chosen, ""); err != nil || r.Refused == nil {
		return err
	}
	switch {
	case r.Job != 0:
		r.Picker.Wrong = r.Refused.Of("job")
	case chosen == "":
		r.Picker.Wrong = &api.FieldProblem{Field: "job", Problem: "is missing", Remedy: "Choose a job"}
	default:
		r.Picker.Wrong = noJobNumber
	}
	return nil
}

var saidRetried = say("retried", "Retried with a fresh retry budget. See its progress below.")

var (
	saidTransferred  = say("transferred", "Candidates moved. They continue in this batch.")
	saidSentUnlisted = say("transferred-unlisted", "Candidates moved. They continue in this batch. The job was not found on the customer's portals: check its number.")
)

// actOnDead runs the reviewed action.
func (v *visit) actOnDead(act string) error {
	o, result := deadOrderOf(act, v.r.PostForm), deadResult{Act: act}
	if act == actTransfer && o.Job != 0 && o.Job != o.Warned && o.Why != "" {
		// Warn of a job that may be wrong before candidates move there.
		would, err := v.wouldDo(o)
		if err != nil {
			return err
		}
		if would.JobWarning != "" {
			return v.review(o, nil)
		}
	}
	var done api.DeadLettersTransferred // for any action
	err := v.post(v.customerPath("dead-letters", act), o.onlyReviewed(), &done)
	if refused, ok := refusalOf(err); ok && refused.Status != http.StatusUnauthorized && !o.None() {
		return v.review(o, refused)
	}
	if err != nil {
		return err
	}
	if act == actRetry && o.Candidate != "" && done.Done == 1 {
		return v.redirect(candidatePath(v.Customer, o.Candidate), saidRetried)
	}
	if len(done.Batches) == 1 && done.Done == done.Chosen && !done.More {
		said := saidTransferred
		if done.JobWarning != "" {
			said = saidSentUnlisted
		}
		return v.redirect(batchPage(v.Customer, string(done.Batches[0])), said)
	}
	result.At = done.AsOf
	result.Done, result.Passed, result.More = done.Done, done.Chosen-done.Done, done.More
	if result.Batches = done.Batches; done.JobWarning != "" && done.Done > 0 {
		result.Unlisted = done.Job
	}
	q := result.query()
	if done.More {
		maps.Copy(q, o.Which().query())
	}
	return v.redirect(withQuery(deadPath(v.Customer), q), "")
}
