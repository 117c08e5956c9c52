package console

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"path"
	"regexp"
	"strings"

	"github.com/seekout/icims-export/api"
)

// exportInput is a form with candidates. They come last in the form, and are passed on to the API as
// they arrive.
type exportInput struct {
	fields url.Values
	// file is the name of the selected file; text is pasted input.
	file, text string
	body       io.Reader
	mediaType  string
}

const (
	mediaCSV    = "text/csv"
	mediaTSV    = "text/tab-separated-values"
	mediaNDJSON = "application/x-ndjson"
	mediaJSON   = "application/json"
)

// Limits of the form's fields beside its file.
const (
	longestText  = 1 << 20
	longestField = 4 << 10
	mostFields   = 50
)

// readExport reads a form up to its file, and returns the query for the API's export route.
// Problems with the form are a *Refusal; the form is then returned as well, to be shown again.
func (v *visit) readExport() (*exportInput, url.Values, error) {
	in := &exportInput{fields: url.Values{}}
	err := v.readFields(in)
	query, wrong := in.ask()
	if refused, ok := refusalOf(err); ok && refused.Code == api.CodeInvalid && wrong != nil {
		refused.Errors = append([]api.FieldProblem{*wrong}, refused.Errors...)
	}
	if err == nil && wrong != nil {
		err = incomplete(*wrong)
	}
	return in, query, err
}

// readFields reads the fields before the file.
func (v *visit) readFields(in *exportInput) error {
	parts, err := v.r.MultipartReader()
	if err != nil {
		return unreadableForm()
	}
	for range mostFields {
		part, err := parts.NextPart()
		switch {
		case errors.Is(err, io.EOF):
			return in.take(nil)
		case err != nil:
			return unreadableForm()
		case part.FormName() == "file":
			return in.take(part)
		}
		if err := in.readField(part); err != nil {
			return err
		}
	}
	return unreadableForm()
}

func (in *exportInput) readField(part *multipart.Part) error {
	most := longestField
	if part.FormName() == "text" {
		most = longestText
	}
	text, err := io.ReadAll(io.LimitReader(part, int64(most)+1))
	switch {
	case err != nil:
		return unreadableForm()
	case len(text) <= most && part.FormName() == "text":
		in.text = string(text)
	case len(text) <= most:
		in.fields.Add(part.FormName(), string(text))
	case part.FormName() == "text":
		return incomplete(api.FieldProblem{Field: "candidates", Problem: "are longer than 1 MiB", Remedy: "Save it as a file and choose the file"})
	default:
		return unreadableForm()
	}
	return nil
}

// take selects the source of the candidates and its format.
func (in *exportInput) take(file *multipart.Part) error {
	var content *bufio.Reader
	if file != nil {
		in.file = path.Base(strings.ReplaceAll(file.FileName(), `\`, "/"))
		if file.FileName() == "" {
			in.file = ""
		}
		content = bufio.NewReader(file)
	}
	pasted := strings.TrimSpace(in.text) != ""
	switch {
	case in.file != "" && pasted:
		return incomplete(api.FieldProblem{Field: "candidates", Problem: "are in a file and in the text field", Remedy: "Clear the text field or remove the file"})
	case in.file == "" && !pasted:
		return incomplete(api.FieldProblem{Field: "candidates", Problem: "are missing", Remedy: "Choose a file or paste the candidates"})
	case pasted:
		content = bufio.NewReader(strings.NewReader(in.text))
	}
	head, _ := content.Peek(longestHead) // the next read returns the error again
	in.body, in.mediaType = content, kindOf(in.fields.Get("kind"), in.file, head)
	return nil
}

// longestHead is how many bytes are read to recognize the format.
const longestHead = 512

// wholeRequest matches the start of a whole request that contains the candidates, as opposed to the
// first of several candidates.
var wholeRequest = regexp.MustCompile(`^\{\s*"(job|prospects|options|candidates)"`)

// kindOf returns the media type of the input: as selected, by the file's extension, or by its first
// bytes.
func kindOf(chosen, file string, head []byte) string {
	switch chosen {
	case "csv":
		return mediaCSV
	case "ndjson":
		return mediaNDJSON
	case "json":
		return mediaJSON
	}
	switch strings.ToLower(path.Ext(file)) {
	case ".csv":
		return mediaCSV
	case ".tsv":
		return mediaTSV
	case ".ndjson", ".jsonl":
		return mediaNDJSON
	}
	head = bytes.TrimLeft(bytes.TrimPrefix(head, []byte("\ufeff")), " \t\r\n")
	switch {
	case bytes.HasPrefix(head, []byte("[")), wholeRequest.Match(head):
		return mediaJSON
	case bytes.HasPrefix(head, []byte("{")):
		return mediaNDJSON
	}
	return mediaCSV
}

// unreadableForm returns the refusal of an unreadable form.
func unreadableForm() error {
	return &Refusal{Status: http.StatusBadRequest, Problem: api.Problem{Code: api.CodeMalformed, Title: "the upload was incomplete", Detail: "The connection was interrupted or too slow."}}
}

// incomplete returns the refusal of a form with missing fields.
func incomplete(fields ...api.FieldProblem) *Refusal {
	return &Refusal{Status: http.StatusUnprocessableEntity, Problem: api.Problem{Code: api.CodeInvalid, Title: "check the form", Errors: fields}}
}

// newKey returns a form's idempotency key: submitting the form twice creates one batch.
func newKey() string { return "console-" + rand.Text() }

var ownKey = regexp.MustCompile(`^console-[A-Z2-7]{26}$`)

// key is the form's idempotency key.
func (in *exportInput) key() string {
	if key := in.fields.Get("key"); ownKey.MatchString(key) {
		return key
	}
	return newKey()
}

// ask returns the query for the API's export route, or the problem with the job.
func (in *exportInput) ask() (url.Values, *api.FieldProblem) {
	q := url.Values{}
	job, text := pickedJob(in.fields, "job")
	switch {
	case job != 0:
		q.Set("job", fmt.Sprint(job))
	case text == jobless:
		q.Set("prospects", "true")
	case text == "":
		return nil, &api.FieldProblem{Field: "job", Problem: "is missing", Remedy: "Choose a job or prospects"}
	default:
		return nil, noJobNumber
	}
	for _, option := range []string{"include_previously_exported", "generate_dummy_emails"} {
		if in.fields.Get(option) != "" {
			q.Set(option, "true")
		}
	}
	return q, nil
}

// drain reads the rest of a form. Most browsers do not read the response before they have sent
// everything.
func (v *visit) drain() { _, _ = io.Copy(io.Discard, v.r.Body) }
