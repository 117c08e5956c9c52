package console

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/seekout/icims-export/api"
	"github.com/seekout/icims-export/internal/prose"
)

func (c *Console) registerExport() {
	const export = "/customers/{customer}/export"
	c.handle("GET "+export, "export", api.ScopeExport, (*visit).export)
	c.handleStream("POST "+export, "export", api.ScopeExport, (*visit).submit)
	c.handleStream("POST "+export+"/preview", "export", api.ScopeExport, (*visit).preview)
	c.handle("GET "+export+"/preview", "export", api.ScopeExport, (*visit).toExport)
}

// exportForm is the form to export candidates.
type exportForm struct {
	Customer       string
	Job            jobPicker
	Again, Dummies bool
	Kind, Text     string
	// File is the name of the selected file. The browser must select it again.
	File string
	Key  string
	// Largest is the maximum file size in MiB.
	Largest int64
	// Obstacles are what would block the exports.
	Obstacles []obstacle
	Refused   *exportRefused
	Preview   *previewed
}

// Path returns the form's URL.
func (f exportForm) Path() string { return "/customers/" + f.Customer + "/export" }

// WrongInput returns the problem with the input as a whole.
func (f exportForm) WrongInput() *api.FieldProblem {
	if f.Refused == nil {
		return nil
	}
	return f.Refused.of("candidates", "body")
}

// exportKinds are the input formats.
var exportKinds = []struct{ Value, Name string }{
	{"", "Detect automatically"}, {"csv", "CSV or tab-separated"}, {"ndjson", "NDJSON (one candidate per line)"}, {"json", "JSON (list or object)"},
}

// Kinds returns the input formats.
func (exportForm) Kinds() any { return exportKinds }

func (v *visit) export() error {
	f, err := v.exportForm(&exportInput{fields: v.r.URL.Query()})
	if err != nil {
		return err
	}
	return v.page("export", "Export", f)
}

func (v *visit) toExport() error { return v.redirect("/customers/"+v.Customer+"/export", "") }

// exportForm fills the form with the input.
func (v *visit) exportForm(in *exportInput) (exportForm, error) {
	const mebi = 1 << 20
	_, chosen := pickedJob(in.fields, "job")
	f := exportForm{
		Customer: v.Customer, Again: in.fields.Get("include_previously_exported") != "", Dummies: in.fields.Get("generate_dummy_emails") != "",
		Kind: in.fields.Get("kind"), Text: in.text, File: in.file, Key: in.key(), Largest: v.API.Settings.MaxUpload / mebi,
	}
	var err error
	if f.Job, err = v.jobPicker("job", chosen, jobless); err != nil {
		return f, err
	}
	f.Obstacles, err = v.obstacles()
	return f, err
}

// exportAgain shows the form with its refusal.
func (v *visit) exportAgain(in *exportInput, refused *exportRefused) error {
	f, err := v.exportForm(in)
	if err != nil {
		return err
	}
	f.Refused = refused
	if refused.Setup != nil {
		f.Obstacles = nil // the refusal already says so
	}
	f.Job.Wrong = refused.of("job", "query.job")
	if refused.Another {
		f.Key = newKey()
	}
	return v.pageWith(&refused.Refusal, "export", "Export", f)
}

var (
	saidHandedOver = say("handed-over", "Export started.")
	saidSentTwice  = say("sent-twice", "This form was already submitted. No candidate was added twice.")
)

// submit submits candidates as they arrive. It redirects to the batch's page, or shows the
// receipt if there is more to say, since the API returns refused rows only once. Reloading the
// receipt submits the form again, which is safe because of its idempotency key.
func (v *visit) submit() error {
	in, query, err := v.readExport()
	var sent api.Sent
	if err == nil {
		err = v.send(http.MethodPost, v.customerPath("exports"), query, in.body, &sent, "Content-Type", in.mediaType, "Idempotency-Key", in.key())
	}
	v.drain()
	refused, ok := refusalOf(err)
	if ok && refused.Code == api.CodeNothingAccepted && refused.Receipt != nil {
		return v.receipt(*refused.Receipt, in)
	}
	if ok && refused.Code == api.CodeAccessEnded && refused.Receipt != nil && refused.Receipt.Accepted > 0 {
		return v.continueAfterLogin(in, refused)
	}
	if ok && refused.Status != http.StatusUnauthorized {
		return v.exportAgain(in, v.refusedExport(refused))
	}
	if err != nil {
		return err
	}
	if coveredByBatchPage(sent) {
		said := saidHandedOver
		if sent.Again > 0 {
			said = saidSentTwice
		}
		return v.redirect(batchPage(v.Customer, string(sent.Batch)), said)
	}
	return v.receipt(sent, in)
}

// continueAfterLogin handles an interrupted upload: it shows the login page with the number of
// accepted candidates. After the login the form continues the same batch.
func (v *visit) continueAfterLogin(in *exportInput, refused *Refusal) error {
	_, job := pickedJob(in.fields, "job")
	form := url.Values{"key": {in.key()}, "job": {job}}
	for _, name := range []string{"include_previously_exported", "generate_dummy_emails"} {
		if value := in.fields.Get(name); value != "" {
			form.Set(name, value)
		}
	}
	told := *refused
	told.Title = "Upload interrupted"
	told.Detail = fmt.Sprintf("Your session or API key has ended. Accepted so far: %s (batch %s). Log in and choose the file again: only missing candidates are added.",
		prose.Plural(refused.Receipt.Accepted, "candidate"), refused.Receipt.Batch)
	v.forget()
	v.Who = api.WhoAmI{}
	v.refuse(&told, "login", "layout", v.frame("Log in", loginForm{Next: exportForm{Customer: v.Customer}.Path() + "?" + form.Encode(), Refused: &told}))
	return nil
}

// coveredByBatchPage reports whether the batch's page shows everything in the receipt.
func coveredByBatchPage(sent api.Sent) bool {
	return sent.RefusedRows == 0 && len(sent.Warnings) == 0 && sent.Dummies == 0 && sent.JobWarning == ""
}

// exportRefused is why an export was refused.
type exportRefused struct {
	Refusal

	// Safe means that the whole input can be submitted again.
	Safe bool
	// Another means that submitting the form again creates another batch.
	Another bool
	// Setup links to the form for a missing connection; nil otherwise.
	Setup   *link
	Refused refusedRows
}

func (r *exportRefused) of(fields ...string) *api.FieldProblem {
	for _, field := range fields {
		if p := r.Of(field); p != nil {
			return p
		}
	}
	return nil
}

// refusedExport rewords a refusal for a form, which has no headers.
func (v *visit) refusedExport(refused *Refusal) *exportRefused {
	r := &exportRefused{Refusal: *refused, Safe: true}
	switch refused.Code {
	case api.CodeInvalid, api.CodeBatchInvalid, api.CodeScopeMissing:
		r.Safe = false
	case api.CodeNoConnection:
		r.Safe, r.Setup = false, v.connectionLink()
	case api.CodeBatchConflict:
		r.Safe, r.Another = false, true
		r.Title, r.Errors = "this form was already submitted with other content", nil
		r.Detail += " To export this as a separate batch, choose the file again and press Export."
	case api.CodeBatchCancelled, api.CodeTooManyRows:
		r.Safe, r.Another = false, true
	default: // a transient error
	}
	words := strings.NewReplacer(" with the same Idempotency-Key", " from this form", ", with another Idempotency-Key", " from this form", "the body", "the file", "The body", "The file")
	r.Title, r.Detail = words.Replace(r.Title), words.Replace(r.Detail)
	if r.Receipt != nil {
		r.Refused = rowsOf(r.Receipt.Refused, r.Receipt.RefusedRows)
	}
	return r
}

// inputLabels are the form's labels of API fields.
var inputLabels = map[string]string{
	"job": "Job", "query.job": "Job", "candidates": "Candidates", "body": "Input",
	"options.generate_dummy_emails": "Generate dummy email addresses", "options.include_previously_exported": "Include previously exported candidates",
}

// Fields returns the problems with the labels of their fields.
func (r *exportRefused) Fields() []api.FieldProblem {
	fields := make([]api.FieldProblem, len(r.Errors))
	for i, f := range r.Errors {
		if label := inputLabels[f.Field]; label != "" {
			f.Field = label
		}
		fields[i] = f
	}
	return fields
}
