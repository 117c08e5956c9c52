package console

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/api"
	"github.com/seekout/icims-export/store"
)

// erasePage asks to confirm an erasure, then shows the receipt.
type erasePage struct {
	Customer string
	ID       string
	Story    admin.CandidateTimeline
	// Waiting, Dead, Ended and Busy count the candidate's exports.
	Waiting, Dead, Ended, Busy int

	Why     string
	Refused *Refusal
	Receipt *store.ErasureReceipt
	Nothing bool
}

func (v *visit) askToErase() error {
	return v.eraseForm(erasePage{ID: strings.TrimSpace(v.r.URL.Query().Get("id"))})
}

// eraseForm shows what would be erased. An unknown candidate can be erased too; the receipt says
// so.
func (v *visit) eraseForm(p erasePage) error {
	p.Customer = v.Customer
	if !candidateShape.MatchString(p.ID) {
		return v.redirect("/customers/"+v.Customer+"/candidates", "")
	}
	story, err := v.story(p.ID, false)
	if refused, ok := refusalOf(err); err != nil && (!ok || refused.Code != api.CodeNoCandidate) {
		return err
	}
	p.Story = story
	for _, x := range story.Exports {
		switch x.Outcome.State {
		case store.Queued, store.Deferred, store.Retrying:
			p.Waiting++
		case store.Dead:
			p.Dead++
		case store.Done, store.Skipped, store.Cancelled:
			p.Ended++
		default:
			p.Busy++
		}
	}
	if p.Refused != nil {
		return v.pageWith(p.Refused, "erase", "Erase candidate?", p)
	}
	return v.page("erase", "Erase candidate?", p)
}

func (v *visit) erase() error {
	p := erasePage{Customer: v.Customer, ID: v.r.PostFormValue("id"), Why: strings.TrimSpace(v.r.PostFormValue("why"))}
	if !candidateShape.MatchString(p.ID) {
		return badForm
	}
	if p.Refused = p.whyNot(); p.Refused != nil {
		return v.eraseForm(p)
	}
	var receipt store.ErasureReceipt
	err := whyIn(p.Why, "query.why")
	if err == nil {
		err = v.call(http.MethodDelete, v.customerPath("candidates", p.ID), url.Values{"why": {p.Why}}, nil, &receipt)
	}
	if refused, ok := refusalOf(err); ok && refused.Status != http.StatusUnauthorized {
		p.Refused = refused
		return v.eraseForm(p)
	}
	if err != nil {
		return err
	}
	p.Receipt, p.Nothing = &receipt, receipt.Nothing()
	return v.page("erase", "Candidate erased", p)
}

// whyNot refuses a reason that identifies the candidate, since the reason is kept.
func (p erasePage) whyNot() *Refusal {
	var problem string
	switch {
	case strings.Contains(strings.ToLower(p.Why), strings.ToLower(p.ID)):
		problem = "contains the candidate ID"
	case strings.Contains(p.Why, "@"):
		problem = "contains an email address"
	default:
		return nil
	}
	return &Refusal{Status: http.StatusUnprocessableEntity, Problem: api.Problem{
		Title: "nothing was erased", Errors: []api.FieldProblem{{Field: "query.why", Problem: problem, Remedy: "Enter a ticket number instead: the reason is kept after the data is erased"}},
	}}
}
