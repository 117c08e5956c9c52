package console

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/api"
	"github.com/seekout/icims-export/internal/prose"
	"github.com/seekout/icims-export/tasks"
)

// previewed is the result of a form's dry run.
type previewed struct {
	api.DryRun

	Customer, File string
	Job            int64
	Refused        refusedRows
	Failed         *exportRefused
	// InPlace means that htmx shows it below the form, which keeps its file.
	InPlace bool
	cost    string
}

// preview makes a dry run of a form.
func (v *visit) preview() error {
	in, query, err := v.readExport()
	p := previewed{Customer: v.Customer, File: in.file, InPlace: v.byHTMX()}
	if err == nil {
		err = v.rehearse(in, query, &p)
	}
	v.drain()
	refused, ok := refusalOf(err)
	switch {
	case err != nil && (!ok || refused.Status == http.StatusUnauthorized):
		return err
	case ok:
		failed := v.refusedExport(refused)
		failed.Safe = false // nothing was submitted
		if !p.InPlace {
			return v.exportAgain(in, failed)
		}
		p.Failed = failed
		v.refuse(refused, "export", "preview", p)
		return nil
	case p.InPlace:
		return v.part("export", "preview", p)
	}
	f, err := v.exportForm(in)
	if err != nil {
		return err
	}
	f.Preview = &p
	return v.page("export", "Export: preview", f)
}

func (v *visit) rehearse(in *exportInput, query url.Values, p *previewed) error {
	p.Job, _ = pickedJob(in.fields, "job")
	query.Set("dry_run", "true")
	if err := v.send(http.MethodPost, v.customerPath("exports"), query, in.body, &p.DryRun, "Content-Type", in.mediaType); err != nil {
		return err
	}
	p.Refused = rowsOf(p.DryRun.Refused, p.RefusedRows)
	p.cost = p.costs(v)
	return nil
}

// costs returns the number of calls and the ETA.
func (p *previewed) costs(v *visit) string {
	kept := len(p.Waits) > 0 && p.Forecast.Waits == ""
	return admin.Reckoned(p.Estimate, p.Forecast, "Currently", v.Now(), kept)
}

// Cost returns the cost in sentences.
func (p previewed) Cost() string { return p.cost }

// Target returns the destination.
func (p previewed) Target() string { return targetOf(p.Job, p.JobTitle) }

// Said summarizes the preview in a sentence.
func (p previewed) Said() string {
	if p.Failed != nil {
		return "No preview: " + p.Failed.Title + "."
	}
	said := fmt.Sprintf("Preview: %s to export, %s skipped, %s refused.", prose.Grouped(p.Estimate.Candidates), prose.Grouped(p.Estimate.Skipped), prose.Grouped(p.RefusedRows))
	return strings.TrimSpace(said + " " + p.JobWarning)
}

// Lane links to the lane if resuming it unblocks the exports; otherwise it is nil.
func (p previewed) Lane() *link { return openLane(p.Customer, p.Waits) }

// Express reports whether the batch is small enough to go before larger batches.
func (p previewed) Express() bool {
	return p.Estimate.Candidates > 0 && tasks.GoesExpress(p.Accepted)
}

// MoreSkips returns how many skipped candidates are not shown.
func (p previewed) MoreSkips() int { return p.Estimate.Skipped - len(p.Skips) }

// Samples returns the requests that are shown.
func (p previewed) Samples() []sample {
	samples := make([]sample, len(p.Requests))
	for i, r := range p.Requests {
		samples[i] = sample{r, bodyText(r.Person), bodyText(r.Workflow)}
	}
	return samples
}

// sample is the requests for a candidate, as texts.
type sample struct {
	api.SampleRequests

	PersonText, WorkflowText string
}

// bodyText formats the body of a request.
func bodyText(fields map[string]any) string {
	if len(fields) == 0 {
		return ""
	}
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(fields); err != nil {
		return ""
	}
	return strings.TrimSpace(b.String())
}
