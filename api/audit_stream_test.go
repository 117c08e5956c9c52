package api

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seekout/icims-export/admin"
)

func TestPanickedAuditStopsWriting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newClockRig(t)
		defer r.end()
		r.Admin = admin.New(admin.Config{}) // has nothing to read
		response := httptest.NewRecorder()
		request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/customers/1234/audit", nil)
		request.Header.Set("Accept", ndjsonType)
		func() {
			defer func() {
				if recover() == nil {
					t.Error("the audit did not panic")
				}
			}()
			r.audit(response, request)
		}()
		time.Sleep(10 * auditBeat)
		synctest.Wait()
		if response.Body.Len() > 0 {
			t.Errorf("it went on with %s", response.Body)
		}
	})
}
