package icims

import (
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func recording(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "recorded", filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// serve answers every request with a recorded body.
func serve(t *testing.T, name string) *Client {
	t.Helper()
	body := recording(t, name)
	c, mux := setup(t)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = w.Write(body)
	})
	return c
}

func recordedHeaders(t *testing.T) http.Header {
	t.Helper()
	var doc map[string]any
	if err := json.Unmarshal(recording(t, "mapc-youth_match/create-workflow-headers.json"), &doc); err != nil {
		t.Fatal(err)
	}
	h := http.Header{}
	for name, v := range doc {
		switch v := v.(type) {
		case string:
			h.Set(name, v)
		case []any:
			for _, e := range v {
				h.Add(name, e.(string))
			}
		}
	}
	return h
}

func TestRecordedWorkflowCreate(t *testing.T) {
	c, mux := setup(t)
	mux.HandleFunc("POST /customers/1234/applicantworkflows", func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if got, want := string(body), `{"associatedprofile":90210,"baseprofile":1709}`; got != want {
			t.Errorf("body %s, want %s", got, want)
		}
		maps.Copy(w.Header(), recordedHeaders(t))
		w.WriteHeader(201)
	})
	id, resp, err := c.CreateWorkflow(t.Context(), Fields{"baseprofile": JobID(1709), "associatedprofile": PersonID(90210)})
	if err != nil {
		t.Fatal(err)
	}
	if id != 21282 || resp.Transaction != "{2A06CCC7-D2CC-5C91-2591-89CF1FF4F939}" || resp.Rate.Remaining != 19902 {
		t.Errorf("id %d, transaction %s, rate %+v", id, resp.Transaction, resp.Rate)
	}
}

func TestRecordedWorkflows(t *testing.T) {
	for name, status := range map[string]*ListNode{
		"workflow-19288":        {ID: "D10100", Value: "New Submissions - External Portal", FormattedValue: "New Submissions - External Portal"},
		"workflow-19288-placed": {ID: "C38356", Value: "Lottery:Placed", FormattedValue: "Lottery:Placed"},
		"workflow-accepted":     {ID: "C36951", Value: "DYEE Lottery - Lottery Accepted", FormattedValue: "DYEE Lottery - Lottery Accepted"},
		"workflow-declined":     {ID: "C14661", Value: "DYEE Lottery - Lottery Declined", FormattedValue: "DYEE Lottery - Lottery Declined"},
		"workflow-expired":      {ID: "C38355", Value: "Lottery: Expired", FormattedValue: "Lottery: Expired"},
	} {
		t.Run(name, func(t *testing.T) {
			got, _, err := serve(t, "mapc-youth_match/"+name+".json").Workflow(t.Context(), 19288)
			if err != nil {
				t.Fatal(err)
			}
			got.Raw = nil
			want := &Workflow{ID: 19288, Job: 1346, Person: 1, Status: status, Source: "Other (Please Specify)", SourceName: "Applicant from previous year"}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRecordedJobs(t *testing.T) {
	got, _, err := serve(t, "mapc-youth_match/job-1123.json").Job(t.Context(), 1123)
	if err != nil {
		t.Fatal(err)
	}
	if got.ID != 1123 || got.Title != "Theater & Writing Group Mentor" ||
		got.Location != "826 Boston, Inc. - 3035 Washington St  Roxbury, Massachusetts 02119-1227 United States " {
		t.Errorf("read %+v", got)
	}
	got, _, err = serve(t, "mapc-youth_match/job-1123-positions.json").Job(t.Context(), 1123, "numberofpositions")
	if err != nil || string(got.Raw["numberofpositions"]) != "5" || got.Title != "" {
		t.Errorf("read %+v, %v", got, err)
	}
}

func TestRecordedPeople(t *testing.T) {
	got, _, err := serve(t, "mapc-youth_match/person-2.json").Person(t.Context(), 2, "field29946", "addresses")
	if err != nil {
		t.Fatal(err)
	}
	if got.ID != 2 || got.FirstName != "Ana" || got.LastName != "Duarte" || got.Folder != nil || got.Protected() {
		t.Errorf("read %+v", got)
	}
	if v := string(got.Raw["field29946"]); v != `"In a Category I selected"` {
		t.Errorf("field29946 is %s", v)
	}
	if e := got.Entries("addresses"); len(e) != 1 || string(e[0]["entry"]) != "1001" {
		t.Errorf("addresses are %v", e)
	}

	got, _, err = serve(t, "macat-connect/second_icims_candidate.json").Person(t.Context(), 8988)
	if err != nil {
		t.Fatal(err)
	}
	if got.Email != "gforge@example.com" || got.Folder == nil || got.Folder.ID != "D32006" || !got.Candidate() || got.Purged() {
		t.Errorf("read %+v", got)
	}
	got, _, err = serve(t, "macat-connect/incomplete_icims_candidate.json").Person(t.Context(), 1)
	if err != nil || got.FirstName != "Jane" || got.Email != "" {
		t.Errorf("read %+v, %v", got, err)
	}
}

func TestRecordedSearches(t *testing.T) {
	people, _, err := serve(t, "macat-connect/icims_search_candidates.json").SearchPeople(t.Context(), EmailQuery(OpExact, "a@example.com"))
	if diff := cmp.Diff([]PersonID{8986, 8988}, people); diff != "" || err != nil {
		t.Error(diff, err)
	}
	flows, _, err := serve(t, "mapc-youth_match/person-1-workflows.json").SearchWorkflows(t.Context(), PersonJobQuery(1, 2))
	if diff := cmp.Diff([]WorkflowID{19287, 19288}, flows); diff != "" || err != nil {
		t.Error(diff, err)
	}
	flows, _, err = serve(t, "mapc-youth_match/eligible-workflows.json").SearchWorkflows(t.Context(), PersonJobQuery(1, 2))
	if len(flows) != 100 || err != nil {
		t.Errorf("%d workflows, %v", len(flows), err)
	}
	jobs, _, err := serve(t, "mapc-youth_match/eligible-jobs.json").SearchPortal(t.Context(), "jobs", 0)
	if len(jobs) != 100 || err != nil || jobs[99].ID != 100 {
		t.Errorf("%d jobs, %v", len(jobs), err)
	}
}

// TestEveryRecordingIsRead fails for a recording that no test reads.
func TestEveryRecordingIsRead(t *testing.T) {
	var n int
	err := filepath.WalkDir(filepath.Join("testdata", "recorded"), func(path string, d os.DirEntry, err error) error {
		if err == nil && filepath.Ext(path) == ".json" {
			n++
		}
		return err
	})
	if err != nil || n != 15 {
		t.Errorf("%d recordings, %v; the tests above read 15", n, err)
	}
}
