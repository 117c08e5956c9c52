package console

import (
	"errors"
	"net/http"

	"github.com/seekout/icims-export/api"
)

// longestForm limits the size of a form without files.
const longestForm = 1 << 20

// readForm reads a form without a file. It refuses multipart forms, whose parts would be stored on
// disk.
func (v *visit) readForm() error {
	v.r.Body = http.MaxBytesReader(v.w, v.r.Body, longestForm)
	err := v.r.ParseForm()
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return &Refusal{Status: http.StatusRequestEntityTooLarge, Problem: api.Problem{Title: "the form is too large", Detail: "Nothing was changed. Enter less text."}}
	}
	if err != nil {
		return &Refusal{Status: http.StatusBadRequest, Problem: api.Problem{Title: "the form cannot be read", Detail: "Nothing was changed. Go back, reload the page and submit again."}}
	}
	return nil
}
