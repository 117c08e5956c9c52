package api

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
	"github.com/seekout/icims-export/tasks/input"
)

// refusedRows reads all refused rows of a batch, limit at a time.
func (r *rig) refusedRows(key string, batch store.BatchID, limit int) (rows []input.Refusal, all int) {
	r.t.Helper()
	path := fmt.Sprintf("/v1/customers/%s/batches/%s/refused?limit=%d", batch.Customer(), batch, limit)
	for cursor := ""; ; {
		var page RefusedList
		r.call(key, http.MethodGet, path+"&cursor="+url.QueryEscape(cursor), nil).is(http.StatusOK, &page)
		rows, all = append(rows, page.Refused...), page.RefusedRows
		if len(page.Refused) > limit {
			r.t.Fatalf("%d rows on a page of %d", len(page.Refused), limit)
		}
		if cursor = page.Next; cursor == "" {
			return rows, all
		}
	}
}

func TestRefusedRowsStayWithTheirBatch(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.connect(mine)
	write, read := r.key(ScopeExport, mine), r.key(ScopeRead, mine)
	const people = "id,first_name,last_name,email\n" +
		"c-1,Ana,Lytic,ana@example.com\n" +
		"c-2,Bo,Quillfeather,\n" +
		"carl@example.com,Carl,Quillfeather,carl@example.com\n" +
		"\"c 4\",Dee,Quillfeather,not an address\n" +
		"c-5,Eve,Quillfeather,eve@example.com,too many\n" +
		"c-6,Fay,Lytic,fay@example.com\n"
	send := func(status int) (sent Sent) {
		t.Helper()
		r.call(write, http.MethodPost, "/v1/customers/1234/exports?job=7", people, "Content-Type", "text/csv", "Idempotency-Key", "k").is(status, &sent)
		return sent
	}
	sent := send(http.StatusAccepted)
	if sent.Accepted != 2 || len(sent.Refused) != 4 {
		t.Fatalf("%+v", sent)
	}
	for _, limit := range []int{1, 3, 4, 1000} {
		got, all := r.refusedRows(read, sent.Batch, limit)
		if diff := cmp.Diff(sent.Refused, got); diff != "" || all != 4 {
			t.Errorf("%d at a time, of %d (-receipt +kept):\n%s", limit, all, diff)
		}
	}
	got, _ := r.refusedRows(read, sent.Batch, 1000)
	ids := []string{got[0].Candidate, got[1].Candidate, got[2].Candidate}
	if diff := cmp.Diff([]string{"c-2", "", ""}, ids); diff != "" || got[0].Row != 2 || got[0].Line != 3 || got[0].Problems[0].Field != "email" {
		t.Errorf("IDs (-want +got):\n%s%+v", diff, got)
	}
	shown := fmt.Sprint(got)
	for _, value := range []string{"Quillfeather", "carl", "Carl", "eve@", "c 4", "too many", "not an address"} {
		if strings.Contains(shown, value) {
			t.Errorf("the value %q is shown", value)
		}
	}
	for _, entry := range redistest.Dump(t, r.redis) {
		if text := fmt.Sprint(entry); strings.Contains(text, "Quillfeather") || strings.Contains(text, "email_missing") {
			t.Errorf("%s is in clear", entry.Key)
		}
	}

	// Submitting again does not duplicate them.
	if again := send(http.StatusOK); again.Batch != sent.Batch {
		t.Fatalf("%+v", again)
	}
	if got, all := r.refusedRows(read, sent.Batch, 1000); len(got) != 4 || all != 4 {
		t.Errorf("sent again there are %d of %d", len(got), all)
	}

	// They are deleted with the batch.
	path := "/v1/customers/1234/batches/" + string(sent.Batch)
	r.call(write, http.MethodPost, path+"/cancel", map[string]string{"why": "a test"}).is(http.StatusOK, nil)
	local := strings.TrimPrefix(string(sent.Batch), mine+"-")
	for _, key := range []string{"ix:{1234}:b:" + local, "ix:{1234}:b:" + local + ":refused"} {
		if left := r.redis.TTL(t.Context(), key).Val(); left <= 29*24*time.Hour || left > store.DefaultRetention {
			t.Errorf("%s goes in %s", key, left)
		}
	}
	r.redis.Del(t.Context(), "ix:{1234}:b:"+local)
	r.call(read, http.MethodGet, path+"/refused", nil).problem(CodeNoBatch)
	r.call(read, http.MethodGet, "/v1/customers/1234/batches/"+string(sent.Batch)+"/refused?cursor=x", nil).problem(CodeInvalid)
}

// The response lists 1,000 refused rows; the batch keeps 10,000.
func TestBatchKeepsMoreRefusedRowsThanTheResponse(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.connect(mine)
	var people strings.Builder
	people.WriteString("id,first_name,last_name,email\nc-0,Ana,Lytic,ana@example.com\n")
	const all = store.MostRefusedRows + 20
	for i := range all {
		fmt.Fprintf(&people, "c-%d,A,B,\n", i+1)
	}
	key := r.key(ScopeExport, mine)
	var sent Sent
	r.call(key, http.MethodPost, "/v1/customers/1234/exports?prospects=true", people.String(), "Content-Type", "text/csv").is(http.StatusAccepted, &sent)
	if sent.Accepted != 1 || len(sent.Refused) != 1000 || sent.RefusedRows != all {
		t.Fatalf("%d accepted, %d named of %d", sent.Accepted, len(sent.Refused), sent.RefusedRows)
	}
	got, counted := r.refusedRows(key, sent.Batch, 1000)
	if len(got) != store.MostRefusedRows || counted != all || got[len(got)-1].Row != store.MostRefusedRows+1 {
		t.Errorf("%d are kept of %d, the last is %+v", len(got), counted, got[len(got)-1])
	}
}

func TestRefusedRowsOfAnotherKeysetAreReported(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	r.connect(mine)
	key := r.key(ScopeExport, mine)
	var sent Sent
	r.call(key, http.MethodPost, "/v1/customers/1234/exports?prospects=true", `{"id":"c-1","first_name":"A","last_name":"B","email":"a@example.com"}`+"\n{}\n", "Content-Type", "application/x-ndjson").is(http.StatusAccepted, &sent)
	local := strings.TrimPrefix(string(sent.Batch), mine+"-")
	if err := r.redis.LSet(t.Context(), "ix:{1234}:b:"+local+":refused", 0, "broken").Err(); err != nil {
		t.Fatal(err)
	}
	path := "/v1/customers/1234/batches/" + string(sent.Batch)
	r.call(key, http.MethodGet, path+"/refused", nil).problem(CodeCannotOpen)
	r.call(key, http.MethodGet, path, nil).is(http.StatusOK, nil)
}
