package console

import (
	"net/url"
	"strconv"

	"github.com/seekout/icims-export/api"
)

// batchView is the data of a batch's page.
type batchView struct {
	batchProgress

	Results results
	// RefusedRows are the batch's stored refused rows.
	RefusedRows refusedRows
	// Unread is why the refused rows cannot be read; nil if they can.
	Unread *Refusal
}

// batchPath returns the API path of the visit's batch, or one below it.
func (v *visit) batchPath(below ...string) string {
	return v.customerPath(append([]string{"batches", v.r.PathValue("batch")}, below...)...)
}

func (v *visit) readBatch() (batchProgress, error) {
	var b api.BatchStatus
	err := v.get(v.batchPath(), nil, &b)
	return v.standingOf(b), err
}

func (v *visit) batch() error {
	s, err := v.readBatch()
	if err != nil {
		return err
	}
	page := batchView{batchProgress: s}
	if page.Results, err = v.results(s); err != nil {
		return err
	}
	if s.Refused > 0 {
		list, err := v.refusedRows("")
		if unread, ok := refusalOf(err); ok && unread.Code == api.CodeCannotOpen {
			page.Unread = unread
		} else if err != nil {
			return err
		}
		page.RefusedRows = keptRows(list, s.Path()+"/refused.csv")
	}
	return v.page("batch", "Export to "+s.Target(), page)
}

// targetOf returns the destination, with the job's title if known.
func targetOf(job int64, title string) string {
	if job == 0 {
		return "prospects"
	}
	target := "job " + strconv.FormatInt(job, 10)
	if title != "" {
		target += " “" + title + "”"
	}
	return target
}

// Target returns the batch's destination.
func (s batchProgress) Target() string { return targetOf(s.Job, s.JobTitle) }

// batchResults renders the table of results for htmx, and the whole page otherwise.
func (v *visit) batchResults() error {
	if !v.byHTMX() {
		path := batchPage(v.Customer, url.PathEscape(v.r.PathValue("batch")))
		if q := v.r.URL.RawQuery; q != "" {
			path += "?" + q
		}
		return v.redirect(path, "")
	}
	s, err := v.readBatch()
	if err != nil {
		return err
	}
	r, err := v.results(s)
	if err != nil {
		return err
	}
	return v.part("batch", "results", r)
}
