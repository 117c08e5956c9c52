package console

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seekout/icims-export/api"
)

// Forms are neither kept in memory without a limit nor stored on disk, whoever sends them.
func TestFormsAreSmallAndLeaveNoFiles(t *testing.T) {
	folder := t.TempDir()
	r := newRig(t)
	w := ward{r}
	w.connect("1234")
	batch, _ := w.accept("1234", 1, "c-1")
	t.Setenv("TMPDIR", folder) // where net/http stores files
	p := r.person(api.ScopeAdmin)
	const customer = "/customers/1234"
	large := strings.Repeat("x", 64<<20)
	for _, path := range []string{
		customer + "/candidates", customer + "/candidates/erase", customer + "/batches/" + string(batch) + "/cancel", customer + "/lane/pause", customer + "/lane/resume",
		customer + "/dead-letters/review", customer + "/dead-letters/retry", customer + "/dead-letters/discard", customer + "/jobs/refresh", customer + "/verifications",
		"/connections/new", "/connections/1234/edit", "/connections/1234/remove",
	} {
		t.Run(strings.TrimPrefix(path, "/"), func(t *testing.T) {
			field := "why=" + large[:longestForm]
			if got := p.do(http.MethodPost, path, strings.NewReader(field), "Content-Type", "application/x-www-form-urlencoded", "Sec-Fetch-Site", "same-origin"); got.StatusCode != http.StatusRequestEntityTooLarge {
				t.Errorf("a form of more than 1 MiB was answered %d", got.StatusCode)
			}
		})
	}
	contentType, body := filled("f.csv", large, "ids", "c-1")
	p.do(http.MethodPost, customer+"/candidates", body, "Content-Type", contentType, "Sec-Fetch-Site", "same-origin")
	if left, err := filepath.Glob(filepath.Join(folder, "multipart-*")); err != nil || len(left) > 0 {
		t.Errorf("files of forms were left behind: %v, %v", left, err)
	}
}
