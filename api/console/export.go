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
	c.handleStream("POST "+export, "export", api.ScopeExport, (*visit).handOver)
	c.handleStream("POST "+export+"/preview", "export", api.ScopeExport, (*visit).preview)
	c.handle("GET "+export+"/preview", "export", api.ScopeExport, (*visit).toExport)
}

// exportForm is the form by which candidates are handed over.
type exportForm struct {
	Customer       string
	Job            jobPicker
	Again, Dummies bool
	Kind, Text     string
	// File is the name of the file that was chosen: it has to be chosen again.
	File string
	Key  string
	// Largest is how large a file may be, in MiB.
	Largest int64
	// Obstacles are what would keep the exports.
	Obstacles []obstacle
	Refused   *exportRefused
	Preview   *previewed
}

// Path is the form's address.
func (f exportForm) Path() string { return "/customers/" + f.Customer + "/export" }

// WrongInput is what is wrong with the candidates as a whole.
func (f exportForm) WrongInput() *api.FieldProblem {
	if f.Refused == nil {
		return nil
	}
	return f.Refused.of("candidates", "body")
}

// exportKinds are the kinds of input, as they are chosen and called.
var exportKinds = []struct{ Value, Name string }{
	{"", "by the file's name, or how it begins"}, {"csv", "CSV, or separated by tabs"}, {"ndjson", "JSON, one candidate a line"}, {"json", "JSON, one list or object"},
}

// Kinds are the kinds of input.
func (exportForm) Kinds() any { return exportKinds }

func (v *visit) export() error {
	f, err := v.exportForm(&handedIn{fields: v.r.URL.Query()})
	if err != nil {
		return err
	}
	return v.page("export", "Export", f)
}

func (v *visit) toExport() error { return v.redirect("/customers/"+v.Customer+"/export", "") }

// exportForm is the form with what was entered.
func (v *visit) exportForm(in *handedIn) (exportForm, error) {
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

// exportAgain shows the form with what it was refused for.
func (v *visit) exportAgain(in *handedIn, refused *exportRefused) error {
	f, err := v.exportForm(in)
	if err != nil {
		return err
	}
	f.Refused = refused
	if refused.Setup != nil {
		f.Obstacles = nil // it is what the form was refused for
	}
	f.Job.Wrong = refused.of("job", "query.job")
	if refused.Another {
		f.Key = newKey()
	}
	return v.pageWith(&refused.Refusal, "export", "Export", f)
}

var (
	saidHandedOver = say("handed-over", "The candidates are handed over.")
	saidSentTwice  = say("sent-twice", "This form was sent before. Nothing was taken in twice.")
)

// handOver hands candidates over as they come. The answer is the page of their batch;
// where there is more to tell than that page does, it is the receipt: the API tells of
// refused rows but once, and keeps none. Whoever loads the receipt again sends the form
// again, which its idempotency key makes harmless.
func (v *visit) handOver() error {
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
		return v.goOnAfterLogin(in, refused)
	}
	if ok && refused.Status != http.StatusUnauthorized {
		return v.exportAgain(in, v.refusedExport(refused))
	}
	if err != nil {
		return err
	}
	if silent(sent) {
		said := saidHandedOver
		if sent.Again > 0 {
			said = saidSentTwice
		}
		return v.redirect(batchPage(v.Customer, string(sent.Batch)), said)
	}
	return v.receipt(sent, in)
}

// goOnAfterLogin answers an upload that was cut off with the log-in page, and says what was
// accepted. After the log-in the form is the same batch as before.
func (v *visit) goOnAfterLogin(in *handedIn, refused *Refusal) error {
	_, job := pickedJob(in.fields, "job")
	form := url.Values{"key": {in.key()}, "job": {job}}
	for _, name := range []string{"include_previously_exported", "generate_dummy_emails"} {
		if value := in.fields.Get(name); value != "" {
			form.Set(name, value)
		}
	}
	told := *refused
	told.Title = "The upload was cut off"
	told.Detail = fmt.Sprintf("Your session or its API key has ended. Accepted so far: %s (batch %s). Log in and choose the file again: only what is missing is added.",
		prose.Plural(refused.Receipt.Accepted, "candidate"), refused.Receipt.Batch)
	v.forget()
	v.Who = api.WhoAmI{}
	v.refuse(&told, "login", "layout", v.frame("Log in", loginForm{Next: exportForm{Customer: v.Customer}.Path() + "?" + form.Encode(), Refused: &told}))
	return nil
}

// silent reports whether a receipt says nothing that the batch's page does not say.
func silent(sent api.Sent) bool {
	return sent.RefusedRows == 0 && len(sent.Warnings) == 0 && sent.Dummies == 0 && sent.JobWarning == ""
}

// exportRefused is why an export was refused, as a page says it.
type exportRefused struct {
	Refusal

	// Safe: all of it can be sent again.
	Safe bool
	// Another: the form becomes another batch when it is sent again.
	Another bool
	// Setup is where the connection is entered that is missing; nil where none is.
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

// refusedExport puts a refusal into the words of a form, which has no headers.
func (v *visit) refusedExport(refused *Refusal) *exportRefused {
	r := &exportRefused{Refusal: *refused, Safe: true}
	switch refused.Code {
	case api.CodeInvalid, api.CodeBatchInvalid, api.CodeScopeMissing:
		r.Safe = false
	case api.CodeNoConnection:
		r.Safe, r.Setup = false, v.toConnect()
	case api.CodeBatchConflict:
		r.Safe, r.Another = false, true
		r.Title, r.Errors = "this form was sent before with something else", nil
		r.Detail += " To export this as well, choose the file again and press Export: it becomes a batch of its own."
	case api.CodeBatchCancelled, api.CodeTooManyRows:
		r.Safe, r.Another = false, true
	default: // a fault on the way
	}
	words := strings.NewReplacer(" with the same Idempotency-Key", " from this form", ", with another Idempotency-Key", " from this form", "the body", "the file", "The body", "The file")
	r.Title, r.Detail = words.Replace(r.Title), words.Replace(r.Detail)
	if r.Receipt != nil {
		r.Refused = rowsOf(r.Receipt.Refused, r.Receipt.RefusedRows)
	}
	return r
}

// inputLabels are what the API's places are called in the form.
var inputLabels = map[string]string{
	"job": "Job", "query.job": "Job", "candidates": "Candidates", "body": "The input",
	"options.generate_dummy_emails": "Generate dummy e-mail addresses", "options.include_previously_exported": "Include those exported before",
}

// Fields are what is wrong, each with the label of its field.
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
