package console

import (
	"bytes"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/seekout/icims-export/api"
	"github.com/seekout/icims-export/internal/testrig"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks/input"
)

const exportPath = "/customers/1234/export"

// hiddenKey returns the idempotency key of a page's form.
func hiddenKey(t *testing.T, page shown) string {
	t.Helper()
	_, rest, _ := strings.Cut(page.text, `name="key" value="`)
	key, _, ok := strings.Cut(rest, `"`)
	if !ok || !ownKey.MatchString(key) {
		t.Fatalf("the form has the key %q: %s", key, page.text)
	}
	return key
}

// filled encodes a form as a browser does. fields alternates names and values, in the order of the
// form; the file comes last.
func filled(file, content string, fields ...string) (contentType string, body *bytes.Buffer) {
	body = &bytes.Buffer{}
	form := multipart.NewWriter(body)
	for i := 0; i+1 < len(fields); i += 2 {
		_ = form.WriteField(fields[i], fields[i+1])
	}
	part, _ := form.CreateFormFile("file", file)
	_, _ = io.WriteString(part, content)
	_ = form.Close()
	return form.FormDataContentType(), body
}

// send posts such a form.
func (p *person) send(path, file, content string, fields ...string) shown {
	p.r.t.Helper()
	contentType, body := filled(file, content, fields...)
	return p.do(http.MethodPost, path, body, "Content-Type", contentType, "Sec-Fetch-Site", "same-origin")
}

func csvOf(ids ...string) string {
	var b strings.Builder
	b.WriteString("id,first_name,last_name,email\n")
	for _, id := range ids {
		fmt.Fprintf(&b, "%s,Ottoline,Quillfeather,%s@example.com\n", id, id)
	}
	return b.String()
}

// batches returns the customer's batches, latest first.
func (w ward) batches() []store.Batch {
	w.t.Helper()
	all, _, err := w.ledger.Batches.Page(w.t.Context(), mine, "", 100)
	if err != nil {
		w.t.Fatal(err)
	}
	return all
}

func TestExportForm(t *testing.T) {
	w := newWard(t)
	w.connect(mine)
	p := w.person(api.ScopeExport, mine)
	got := p.get(exportPath + "?job=1709")
	got.wants(t, http.StatusOK, `enctype="multipart/form-data"`, `value="1709" checked`, "Prospects <span", `name="include_previously_exported"`, `name="generate_dummy_emails"`,
		`formaction="/customers/1234/export/preview"`, "1,024 MiB", "makes no calls", "candidates exported before, to any job or to none", "Choose a file or paste", "<summary>Paste candidates</summary>", "adds them to this job, too")
	if hiddenKey(t, got) == hiddenKey(t, p.get(exportPath)) {
		t.Error("two forms have one key")
	}
	if strings.Index(got.text, `name="file"`) < strings.Index(got.text, `name="text"`) || strings.Index(got.text, `name="file"`) < strings.Index(got.text, `name="key"`) {
		t.Error("a field stands behind the file, so that the file cannot be handed on as it comes")
	}
	reader := w.person(api.ScopeRead, mine)
	reader.get(exportPath).wants(t, http.StatusForbidden, "the export scope")
	reader.send(exportPath, "a.csv", csvOf("c-1"), "job", "7").wants(t, http.StatusForbidden)
	if got := p.get(exportPath + "/preview"); got.to() != exportPath {
		t.Errorf("an address of a preview leads to %q", got.to())
	}
}

func TestExportFile(t *testing.T) {
	json := `{"id":"c-1","first_name":"Ottoline","last_name":"Quillfeather"}`
	specs := []struct {
		name, file, content string
		fields              []string
		want                store.Batch
	}{
		{"CSV to a job", "people.csv", csvOf("c-1", "c-2"), []string{"job", "1709"}, store.Batch{Job: 1709, Accepted: 2}},
		{"to a job by its number", "people.csv", csvOf("c-1"), []string{"job", "prospects", "job_number", " 42 "}, store.Batch{Job: 42, Accepted: 1}},
		{
			"candidates line by line to prospects, with both options", "people.jsonl", json + "\n",
			[]string{"job", "prospects", "include_previously_exported", "true", "generate_dummy_emails", "true"},
			store.Batch{Accepted: 1, GenerateDummyEmails: true, IncludePreviouslyExported: true},
		},
		{"a whole request", "people.json", `{"options":{"generate_dummy_emails":true},"candidates":[` + json + `]}`, []string{"job", "7"}, store.Batch{Job: 7, Accepted: 1, GenerateDummyEmails: true}},
		{"pasted text", "", "", []string{"job", "7", "text", csvOf("c-1")}, store.Batch{Job: 7, Accepted: 1}},
		{"a file of a kind that was chosen", "people.txt", " " + csvOf("c-1"), []string{"job", "7", "kind", "csv"}, store.Batch{Job: 7, Accepted: 1}},
	}
	for _, s := range specs {
		t.Run(s.name, func(t *testing.T) {
			w := newWard(t)
			w.connect(mine)
			p := w.person(api.ScopeExport, mine)
			got := p.send(exportPath, s.file, s.content, append([]string{"key", newKey()}, s.fields...)...)
			all := w.batches()
			if len(all) != 1 {
				t.Fatalf("%d batches; %d %s", len(all), got.StatusCode, got.text)
			}
			b := all[0]
			if b.Job != s.want.Job || b.Accepted != s.want.Accepted || b.GenerateDummyEmails != s.want.GenerateDummyEmails || b.IncludePreviouslyExported != s.want.IncludePreviouslyExported || b.Closed.IsZero() {
				t.Errorf("%+v", b)
			}
			page := "/customers/1234/batches/" + string(b.ID)
			if b.GenerateDummyEmails { // has a warning
				got.wants(t, http.StatusOK, "dummy address", `href="`+page+`"`, page+"/events")
				return
			}
			if got.StatusCode != http.StatusSeeOther || got.to() != page+"?did="+saidHandedOver {
				t.Fatalf("%d to %q: %s", got.StatusCode, got.to(), got.text)
			}
			p.get(got.to()).wants(t, http.StatusOK, "Export started.")
		})
	}
}

func TestInputFormatDetection(t *testing.T) {
	for _, s := range []struct{ chosen, file, head, want string }{
		{"", "a.CSV", "{", mediaCSV},
		{"", "a.tsv", "", mediaTSV},
		{"", "a.ndjson", "[", mediaNDJSON},
		{"", "a.jsonl", "", mediaNDJSON},
		{"json", "a.csv", "id,", mediaJSON},
		{"ndjson", "a.csv", "id,", mediaNDJSON},
		{"csv", "a.json", "[", mediaCSV},
		{"", "a.json", "\ufeff\r\n [", mediaJSON},
		{"", "a.json", `{"id":"c-1"`, mediaNDJSON},
		{"", "a.json", "{\n \"job\": 7", mediaJSON},
		{"", "", `{"candidates":[`, mediaJSON},
		{"", "", `{"first_name":"candidates"`, mediaNDJSON},
		{"", "", "id,first_name", mediaCSV},
		{"", "people.csv.json", "", mediaCSV},
		{"", "", "", mediaCSV},
	} {
		if got := kindOf(s.chosen, s.file, []byte(s.head)); got != s.want {
			t.Errorf("chosen %q, file %q, %q: %s", s.chosen, s.file, s.head, got)
		}
	}
}

func TestReceiptShowsRefusedRows(t *testing.T) {
	w := newWard(t)
	w.connect(mine)
	p := w.person(api.ScopeExport, mine)
	content := csvOf("c-1", "c-2") + "c-3,Secretname,Quillfeather,\nc-4,Secretname,Quillfeather,not an address\n"
	got := p.send(exportPath, markup+".csv", content, "key", newKey(), "job", "1709")
	got.wants(t, http.StatusOK, "2 candidates from", "2 rows refused", "row 3", "line 4", "c-3", "<code>email</code>", "is missing", "generate dummy email addresses", "row 4",
		"hx-sse:connect", "keeps them", "Previously exported candidates are skipped", `href="/customers/1234/export"`)
	got.lacks(t, "Secretname", "not an address", "<script>alert", "<b>it</b>")
}

func TestReceiptGroupsAndLimitsRefusedRows(t *testing.T) {
	w := newWard(t)
	w.connect(mine)
	var content strings.Builder
	content.WriteString("id,first_name,last_name,email\nc-0,A,B,not an address\n")
	for i := range 1010 {
		fmt.Fprintf(&content, "c-%d,A,B,\n", i+1)
	}
	got := w.person(api.ScopeExport).send(exportPath, "a.csv", content.String(), "key", newKey(), "job", "1709")
	got.wants(t, http.StatusOK, "No rows accepted", "No rows were accepted", "1,011 rows refused. Counts below cover the first 1,000",
		"999 × <code>email</code> is missing", "… and 989 more rows", "1 × <code>email</code>", "row 11 ")
	got.lacks(t, "row 12 ", "hx-sse:connect", "are skipped")
	if strings.Index(got.text, "999 ×") > strings.Index(got.text, "1 × <code>") {
		t.Error("the most frequent cause does not come first")
	}
}

func TestRefusedRowsOfManyCausesAreLimited(t *testing.T) {
	var refused []input.Refusal
	for i := range shownCauses + 3 {
		refused = append(refused, input.Refusal{Row: i + 1, Problems: []input.Problem{{Field: fmt.Sprintf("phones[%d]", i), Message: "is too long"}}})
	}
	if list := rowsOf(refused, len(refused)); len(list.Causes) != shownCauses || list.MoreCauses != 3 {
		t.Errorf("%d causes are shown, %d more are mentioned", len(list.Causes), list.MoreCauses)
	}
}

func TestFormSentTwiceIsOneBatch(t *testing.T) {
	w := newWard(t)
	w.connect(mine)
	p := w.person(api.ScopeExport)
	key := hiddenKey(t, p.get(exportPath))
	first := p.send(exportPath, "a.csv", csvOf("c-1", "c-2"), "key", key, "job", "7")
	again := p.send(exportPath, "a.csv", csvOf("c-1", "c-2"), "key", key, "job", "7")
	if all := w.batches(); len(all) != 1 || all[0].Accepted != 2 {
		t.Fatalf("%+v", all)
	}
	if !strings.HasSuffix(first.to(), saidHandedOver) || !strings.HasSuffix(again.to(), saidSentTwice) {
		t.Errorf("to %q, then to %q", first.to(), again.to())
	}
	p.get(again.to()).wants(t, http.StatusOK, "No candidate was added twice")

	elsewhere := p.send(exportPath, "a.csv", csvOf("c-1", "c-2"), "key", key, "job", "8")
	elsewhere.wants(t, http.StatusConflict, "already submitted with other content", "goes to job 7", "Nothing was accepted", "as a separate batch", "Choose a.csv again", `value="8" checked`)
	if other := hiddenKey(t, elsewhere); other == key {
		t.Error("the form keeps the key that belongs to the other batch")
	}
	// Another file, and the same one with its refused rows corrected.
	for name, file := range map[string]string{"Row 2 differs from": csvOf("c-1", "c-3"), "complete with 2 rows": csvOf("c-1", "c-2", "c-3")} {
		other := p.send(exportPath, "a.csv", file, "key", key, "job", "7")
		other.wants(t, http.StatusConflict, "already submitted with other content", name, "Nothing was accepted", "as a separate batch")
		if hiddenKey(t, other) == key {
			t.Error("the form keeps the key that belongs to the other batch")
		}
	}
	if all := w.batches(); len(all) != 1 || all[0].Accepted != 2 {
		t.Errorf("%+v", all)
	}
}

func TestInvalidFormIsShownAgain(t *testing.T) {
	specs := []struct {
		name, file, content string
		fields, wants       []string
		status              int
	}{
		{"without a target", "a.csv", csvOf("c-1"), nil, []string{"Missing. Choose a job or prospects", `id="job-wrong"`, "Choose a.csv again"}, http.StatusUnprocessableEntity},
		{"with a job that is no number", "a.csv", csvOf("c-1"), []string{"job_number", markup}, []string{"not a job number", "&lt;script&gt;"}, http.StatusUnprocessableEntity},
		{"without candidates", "", "", []string{"job", "7"}, []string{"are missing. Choose a file", `id="input-wrong"`, `value="7" checked`}, http.StatusUnprocessableEntity},
		{"with nothing at all", "", "", nil, []string{`id="job-wrong"`, `id="input-wrong"`}, http.StatusUnprocessableEntity},
		{"with a file and text", "a.csv", csvOf("c-1"), []string{"job", "7", "text", csvOf(markup)}, []string{"are in a file and in the text field", "&lt;script&gt;"}, http.StatusUnprocessableEntity},
		{"with a text that is too long", "", "", []string{"job", "7", "text", strings.Repeat("x", longestText+1)}, []string{"are longer than 1 MiB"}, http.StatusUnprocessableEntity},
		{"with an empty file", "a.csv", "", []string{"job", "7", "generate_dummy_emails", "true"}, []string{"The candidates are missing. Send at least one", `name="generate_dummy_emails" value="true" checked`}, http.StatusUnprocessableEntity},
		{"with JSON that says something else", "a.json", `{"job":8,"candidates":[]}`, []string{"job", "7"}, []string{"one thing in the query and another in the body", `id="job-wrong"`}, http.StatusUnprocessableEntity},
		{"with a field that is too long", "a.csv", csvOf("c-1"), []string{"job", strings.Repeat("7", longestField+1)}, []string{"upload was incomplete"}, http.StatusBadRequest},
	}
	w := newWard(t)
	w.connect(mine)
	p := w.person(api.ScopeExport)
	for _, s := range specs {
		t.Run(s.name, func(t *testing.T) {
			for _, path := range []string{exportPath, exportPath + "/preview"} {
				key := newKey()
				got := p.send(path, s.file, s.content, append([]string{"key", key}, s.fields...)...)
				got.wants(t, s.status, append(s.wants, `role="alert"`)...)
				got.lacks(t, "<script>alert")
				if hiddenKey(t, got) != key {
					t.Error("the form has another key")
				}
			}
		})
	}
	t.Run("in another encoding", func(t *testing.T) {
		p.post(exportPath, map[string][]string{"job": {"7"}}).wants(t, http.StatusBadRequest, "upload was incomplete", "Accepted candidates are not added twice")
	})
	if all := w.batches(); len(all) != 0 {
		t.Errorf("%d batches were opened", len(all))
	}
}

func TestCustomerWithoutConnectionSeesTheRemedy(t *testing.T) {
	w := newWard(t)
	got := w.person(api.ScopeExport).send(exportPath, "a.csv", csvOf("c-1"), "key", newKey(), "job", "7")
	got.wants(t, http.StatusNotFound, "The customer has no connection", "a key with the admin scope")
	got.lacks(t, "Accepted candidates are not added twice")
}

func TestInterruptedFileCanBeSentAgain(t *testing.T) {
	w := newWard(t)
	w.connect(mine)
	p := w.person(api.ScopeExport)
	key := hiddenKey(t, p.get(exportPath))
	contentType, body := filled("a.csv", csvOf("c-1", "c-2", "c-3"), "key", key, "job", "7")
	cut := body.Bytes()[:bytes.Index(body.Bytes(), []byte("c-3,Otto"))+8]
	got := p.do(http.MethodPost, exportPath, bytes.NewReader(cut), "Content-Type", contentType, "Sec-Fetch-Site", "same-origin")
	got.wants(t, http.StatusBadRequest, "Accepted candidates are not added twice", "2 candidates accepted before the error", "Choose a.csv again", "from this form")
	got.lacks(t, "Idempotency-Key", "The body")
	if hiddenKey(t, got) != key {
		t.Fatal("the form lost its key")
	}
	p.send(exportPath, "a.csv", csvOf("c-1", "c-2", "c-3"), "key", key, "job", "7").wants(t, http.StatusSeeOther)
	if all := w.batches(); len(all) != 1 || all[0].Accepted != 3 {
		t.Errorf("%+v", all)
	}
}

func TestFileIsStreamed(t *testing.T) {
	w := newWard(t)
	w.connect(mine)
	p := w.person(api.ScopeExport)
	key := newKey()
	contentType, whole := filled("a.csv", csvOf(testrig.Numbered(0, 3000)...), "key", key, "job", "7")
	from, to := io.Pipe()
	answered := make(chan shown, 1)
	go func() {
		answered <- p.do(http.MethodPost, exportPath, from, "Content-Type", contentType, "Sec-Fetch-Site", "same-origin")
	}()
	half := whole.Next(whole.Len() / 2)
	if _, err := to.Write(half); err != nil {
		t.Fatal(err)
	}
	batch := store.BatchID(w.ledger.Keys().BatchID(mine, key))
	for accepted := 0; accepted == 0; {
		select {
		case got := <-answered:
			t.Fatalf("half of it was answered %d: %s", got.StatusCode, got.text)
		case <-time.After(10 * time.Millisecond):
			if b, err := w.ledger.Batches.Get(t.Context(), batch); err == nil {
				accepted = b.Accepted // before the rest was sent
			}
		}
	}
	if _, err := whole.WriteTo(to); err != nil {
		t.Fatal(err)
	}
	_ = to.Close()
	if got := <-answered; got.StatusCode != http.StatusSeeOther {
		t.Fatalf("%d: %s", got.StatusCode, got.text)
	}
	if b, err := w.ledger.Batches.Get(t.Context(), batch); err != nil || b.Accepted != 3000 {
		t.Errorf("%+v, %v", b, err)
	}
}

func TestPreviewSubmitsNothing(t *testing.T) {
	w := newWard(t)
	w.connect(mine)
	_, refs := w.accept(mine, 7, "c-1")
	w.finish(store.Finish{To: store.Done, Counter: store.CountCreated, Person: 17}, refs[0])
	p := w.person(api.ScopeExport, mine)
	content := csvOf("c-1") + "c-2," + `"` + strings.ReplaceAll(markup, `"`, `""`) + `"` + ",Quillfeather,c-2@example.com\nc-3,Ottoline,Quillfeather,\n"
	wants := []string{
		"<b>1</b> to export", "<b>1</b> skipped", "<b>1</b> refused", "About 3 calls to iCIMS (3 if all candidates are new, at most 6). Currently: 10,000 of 10,000 left today", "Small batches run ahead",
		"row 3", "<code>email</code>", "person 17", "candidates?id=c-1", "to any job, are skipped. To add them to this job", "&#34;firstname&#34;", "&lt;script&gt;", "baseprofile",
	}
	page := p.send(exportPath+"/preview", "a.csv", content, "key", newKey(), "job", "7")
	page.wants(t, http.StatusOK, append(wants, "<html", "choose the file again", "Choose a.csv again", `value="7" checked`)...)
	page.lacks(t, "<script>alert")

	contentType, body := filled("a.csv", content, "key", newKey(), "job", "7")
	part := p.do(http.MethodPost, exportPath+"/preview", body, "Content-Type", contentType, "Sec-Fetch-Site", "same-origin", "HX-Request", "true")
	part.wants(t, http.StatusOK, append(wants, `<hx-partial hx-target="#preview-said"`, "Preview: 1 to export, 1 skipped, 1 refused.", "your file is still selected")...)
	part.lacks(t, "<html", "<form", "<script>alert")

	contentType, body = filled("", "", "key", newKey(), "job", "7", "text", content)
	pasted := p.do(http.MethodPost, exportPath+"/preview", body, "Content-Type", contentType, "Sec-Fetch-Site", "same-origin", "HX-Request", "true")
	pasted.wants(t, http.StatusOK, "press Export above.")
	pasted.lacks(t, "your file is still selected")

	contentType, body = filled("", "", "key", newKey(), "job", "7", "text", csvOf("c-1"))
	nobody := p.do(http.MethodPost, exportPath+"/preview", body, "Content-Type", contentType, "Sec-Fetch-Site", "same-origin", "HX-Request", "true")
	nobody.wants(t, http.StatusOK, "<b>1</b> skipped", "No candidates to export.")
	nobody.lacks(t, "press Export above")

	contentType, body = filled("", "", "key", newKey())
	p.do(http.MethodPost, exportPath+"/preview", body, "Content-Type", contentType, "Sec-Fetch-Site", "same-origin", "HX-Request", "true").
		wants(t, http.StatusUnprocessableEntity, "No preview: ", "are missing")
	if all := w.batches(); len(all) != 1 {
		t.Errorf("there are %d batches", len(all))
	}
	if strings.Contains(w.log.String(), "Quillfeather") {
		t.Error("a name is in the log")
	}
}

func TestPreviewAndReceiptWarnAboutMissingJob(t *testing.T) {
	const missing = "Job 9 is not on the portals of customer 1234"
	specs := map[string]struct {
		job                string
		age                time.Duration
		preview, receipt   []string
		previewLack, rLack []string
	}{
		"a listed job": {"1709", 0, []string{"to job 1709 “Data Engineer”</h2>"}, []string{"1 candidate from a.csv accepted for job 1709 “Data Engineer”, 1 row refused."}, []string{"is not on the portals"}, []string{"is not on"}},
		"a listed job with markup in its title": {
			"1701", 0, []string{"job 1701 “&lt;b&gt;Bold&lt;/b&gt; Engineer”"}, []string{"job 1701 “&lt;b&gt;Bold&lt;/b&gt; Engineer”"}, []string{"<b>Bold"}, []string{"<b>Bold"},
		},
		"one that is not listed":             {"9", 0, []string{"to job 9</h2>", missing}, []string{"accepted for job 9, ", missing}, nil, nil},
		"one that an old list lacks":         {"9", time.Hour, []string{"Job 9 was not on the portals", "1h 0m ago"}, []string{"1h 0m ago"}, nil, nil},
		"one that a list of yesterday lacks": {"9", 25 * time.Hour, []string{"to job 9</h2>"}, []string{"accepted for job 9, "}, []string{"portals of customer"}, []string{"portals of customer"}},
		"no job":                             {"prospects", 0, []string{"to prospects</h2>"}, []string{"accepted as prospects, 1 row refused."}, nil, nil},
	}
	for name, s := range specs {
		t.Run(name, func(t *testing.T) {
			w := newWard(t)
			w.connect(mine)
			w.listed(append([]store.ListedJob(nil), someJobs...)...)
			w.now.Pass(s.age)
			p := w.person(api.ScopeExport)
			content := csvOf("c-1") + "c-2,Ottoline,Quillfeather,\n"
			preview := p.send(exportPath+"/preview", "a.csv", content, "key", newKey(), "job", s.job)
			preview.wants(t, http.StatusOK, s.preview...)
			preview.lacks(t, s.previewLack...)
			receipt := p.send(exportPath, "a.csv", content, "key", newKey(), "job", s.job)
			receipt.wants(t, http.StatusOK, s.receipt...)
			receipt.lacks(t, s.rLack...)
		})
	}
}

func TestRevokedKeyCannotExport(t *testing.T) {
	w := newWard(t)
	w.connect(mine)
	key, token, err := w.ledger.Access.NewAPIKey(t.Context(), store.APIKey{Name: "someone", Scopes: []string{"export"}, By: "a test"}, w.now.Now())
	if err != nil {
		t.Fatal(err)
	}
	p := w.visitor()
	p.post("/login", map[string][]string{"key": {token}})
	if _, err := w.ledger.Access.RevokeAPIKey(t.Context(), key.ID, w.now.Now()); err != nil {
		t.Fatal(err)
	}
	p.send(exportPath, "a.csv", csvOf("c-1"), "key", newKey(), "job", "7").wants(t, http.StatusUnauthorized, "Log in again")
	if all := w.batches(); len(all) != 0 {
		t.Errorf("%d batches were opened", len(all))
	}
}
