package icims

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestIDs(t *testing.T) {
	tests := []struct {
		in   string
		want PersonID
		ok   bool
	}{
		{`1000`, 1000, true},
		{`"1000"`, 1000, true},
		{`" 7 "`, 7, true},
		{`null`, 0, true},
		{`0`, 0, false},
		{`-1`, 0, false},
		{`1.5`, 0, false},
		{`1e3`, 0, false},
		{`""`, 0, false},
		{`"ana"`, 0, false},
		{`{}`, 0, false},
		{`99999999999999999999`, 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			var got PersonID
			err := json.Unmarshal([]byte(tt.in), &got)
			if got != tt.want || (err == nil) != tt.ok {
				t.Errorf("got %d, %v", got, err)
			}
			if err != nil && strings.Contains(err.Error(), "ana") {
				t.Errorf("error repeats the value: %v", err)
			}
		})
	}
	data, err := json.Marshal(Fields{"baseprofile": JobID(1709)})
	if err != nil || string(data) != `{"baseprofile":1709}` {
		t.Errorf("an id is written as %s, %v; want a bare number", data, err)
	}
}

func TestListNodes(t *testing.T) {
	tests := []struct {
		in   string
		want ListNode
		ok   bool
	}{
		{`{"id":"D83004","value":"Mobile","formattedvalue":"Mobile"}`, ListNode{"D83004", "Mobile", "Mobile", ""}, true},
		{`{"id":"D41001024","abbrev":"MA","value":"Massachusetts"}`, ListNode{"D41001024", "Massachusetts", "", "MA"}, true},
		{`{"id":7}`, ListNode{ID: "7"}, true},
		{`"Mobile"`, ListNode{Value: "Mobile"}, true},
		{`[{"id":"C1"},{"id":"C2"}]`, ListNode{ID: "C1"}, true},
		{`[]`, ListNode{}, true},
		{`null`, ListNode{}, true},
		{`{}`, ListNode{}, true},
		{`7`, ListNode{}, false},
		{`{"id":["x"]}`, ListNode{}, false},
	}
	for _, tt := range tests {
		t.Run(tt.in, func(t *testing.T) {
			var got ListNode
			err := json.Unmarshal([]byte(tt.in), &got)
			if (err == nil) != tt.ok {
				t.Fatalf("error %v", err)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestListNodeMatches(t *testing.T) {
	tests := []struct {
		value, label string
		want         bool
	}{
		{"Recruiter Submitted", "Recruiter Submitted", true},
		{"recruiter submitted", "Recruiter Submitted ", true},
		{"New Submissions - Recruiter Submitted", "Recruiter Submitted", true},
		{"New Submissions: Recruiter Submitted", "Recruiter Submitted", true},
		{"Not Recruiter Submitted", "Recruiter Submitted", false},
		{"Recruiter Submitted - Later", "Recruiter Submitted", false},
		{"Recruiter Submitted", "", false},
	}
	for _, tt := range tests {
		if got := (&ListNode{Value: tt.value}).Matches(tt.label); got != tt.want {
			t.Errorf("%q matches %q: %t", tt.value, tt.label, got)
		}
		if got := (&ListNode{Value: "other", FormattedValue: tt.value}).Matches(tt.label); got != tt.want {
			t.Errorf("formatted %q matches %q: %t", tt.value, tt.label, got)
		}
	}
	if (*ListNode)(nil).Matches("x") {
		t.Error("no node matches")
	}
}

func TestMergedInto(t *testing.T) {
	tests := []struct {
		name string
		p    Person
		want PersonID
	}{
		{"as iCIMS renames it", Person{FirstName: "Merged with 90211 - 3/30/2016"}, 90211},
		{"in other letters", Person{FirstName: " MERGED WITH 7"}, 7},
		{"with an e-mail it is a name", Person{FirstName: "Merged with 90211", Email: "a@example.com"}, 0},
		{"elsewhere in the name", Person{FirstName: "Not merged with 90211"}, 0},
		{"without a number", Person{FirstName: "Merged with Ana"}, 0},
		{"with a number that is none", Person{FirstName: "Merged with 0"}, 0},
		{"an ordinary name", Person{FirstName: "Ana"}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got, ok := tt.p.MergedInto(); got != tt.want || ok != (tt.want != 0) {
				t.Errorf("got %d, %t, want %d", got, ok, tt.want)
			}
		})
	}
}

func TestFolders(t *testing.T) {
	tests := []struct {
		name                         string
		folder                       *ListNode
		purged, protected, candidate bool
	}{
		{"none", nil, false, false, false},
		{"an empty one", &ListNode{}, false, false, false},
		{"purge", &ListNode{ID: "D32002", Value: "Purge"}, true, false, false},
		{"purge, renamed", &ListNode{ID: "D32002", Value: "Emp: old"}, true, false, false},
		{"purge by label", &ListNode{Value: "Purge"}, true, false, false},
		{"active candidate", &ListNode{ID: "D32007", Value: "Cand:Active"}, false, false, true},
		{"unreviewed candidate", &ListNode{ID: "D32006"}, false, false, true},
		{"active candidate, renamed like an employee", &ListNode{ID: "D32007", Value: "Emp:Applicant"}, false, false, true},
		{"candidate folder of the tenant", &ListNode{ID: "C123", Value: "Cand:Silver Medal"}, false, false, true},
		{"hiring manager", &ListNode{ID: "D32011"}, false, true, false},
		{"former hiring manager", &ListNode{ID: "D32012"}, false, true, false},
		{"employee", &ListNode{ID: "D32013"}, false, true, false},
		{"employee, renamed like a candidate", &ListNode{ID: "D32013", Value: "Cand:Internal"}, false, true, false},
		{"contractor", &ListNode{ID: "D32017"}, false, true, false},
		{"former employee", &ListNode{ID: "D32018"}, false, true, false},
		{"employee folder of the tenant", &ListNode{ID: "C9", Value: "Emp:Leave"}, false, true, false},
		{"employee by formatted label", &ListNode{ID: "C9", FormattedValue: "emp:Leave"}, false, true, false},
		{"hiring manager of the tenant", &ListNode{Value: "HM:Regional"}, false, true, false},
		{"a stock node not known here", &ListNode{ID: "D32099", Value: "Emp:New"}, false, true, false},
		{"something else", &ListNode{ID: "C10", Value: "Vendor"}, false, false, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := Person{Folder: tt.folder}
			if p.Purged() != tt.purged || p.Protected() != tt.protected || p.Candidate() != tt.candidate {
				t.Errorf("purged %t, protected %t, candidate %t", p.Purged(), p.Protected(), p.Candidate())
			}
		})
	}
}

func TestRateLimitAsRecorded(t *testing.T) {
	h := http.Header{}
	for name, v := range recordedHeaders(t) {
		h[http.CanonicalHeaderKey(name)] = v
	}
	date, err := http.ParseTime(h.Get("Date"))
	if err != nil {
		t.Fatal(err)
	}
	rate := parseRate(h, date)
	if !rate.Known || rate.Limit != 20000 || rate.Remaining != 19902 || rate.Reset != 9299*time.Second {
		t.Errorf("read %+v", rate)
	}
	if got := untilMidnight(date); got != rate.Reset {
		t.Errorf("midnight is in %s, the recorded reset in %s", got, rate.Reset)
	}
}

func TestRateLimitUnknown(t *testing.T) {
	for _, h := range []http.Header{{}, {"X-Ratelimit-Remaining": {"many"}}, {"X-Ratelimit-Remaining": {"-1"}}, {"X-Ratelimit-Limit": {"10"}}} {
		if rate := parseRate(h, time.Now()); rate.Known {
			t.Errorf("%v: known", h)
		}
	}
}

func TestTransactionIsKeptOnlyWhereItLooksLikeOne(t *testing.T) {
	if got := transaction("{2A06CCC7-D2CC-5C91-2591-89CF1FF4F939}"); got == "" {
		t.Error("a GUID was dropped")
	}
	for _, v := range []string{"ana.duarte@example.com", strings.Repeat("a", 65), "a b"} {
		if got := transaction(v); got != "" {
			t.Errorf("kept %q", got)
		}
	}
}

func FuzzPerson(f *testing.F) {
	f.Add([]byte(`{"firstname":"Ana","folder":{"id":"D32007"},"phones":[{"entry":1,"primary":true,"phonetype":null}]}`))
	f.Add([]byte(`{"id":"7","folder":[{"id":1}],"phones":null,"email":{"value":"x"}}`))
	f.Add([]byte(`{"folder":[[[]]],"phones":[[]]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var p Person
		if json.Unmarshal(data, &p) != nil {
			return
		}
		if p.ID < 0 {
			t.Errorf("id %d", p.ID)
		}
		if id, ok := p.MergedInto(); ok && id <= 0 {
			t.Errorf("merged into %d", id)
		}
		if p.Purged() && p.Protected() && isStockFolder(p.Folder.ID) {
			t.Error("a stock folder is both purge and protected")
		}
		for name := range p.Raw {
			p.Entries(name)
		}
	})
}

func FuzzListNode(f *testing.F) {
	f.Add([]byte(`{"id":"D1","value":"a"}`))
	f.Add([]byte(`[["a"],{"id":1}]`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var n ListNode
		if json.Unmarshal(data, &n) != nil {
			return
		}
		if n.Value != "" && strings.TrimSpace(n.Value) != "" && !n.Matches(n.Value) {
			t.Errorf("%q does not match itself", n.Value)
		}
	})
}

func FuzzID(f *testing.F) {
	f.Add([]byte(`"12"`))
	f.Add([]byte(`12`))
	f.Fuzz(func(t *testing.T, data []byte) {
		id, err := parseID(data)
		if err != nil {
			return
		}
		again, err := parseID([]byte(PersonID(id).String()))
		if id <= 0 || err != nil || again != id {
			t.Errorf("%q is %d, again %d, %v", data, id, again, err)
		}
	})
}

func FuzzRows(f *testing.F) {
	f.Add([]byte(`{"searchResults":[{"id":1},{"self":"https://x/people/2"}]}`))
	f.Add([]byte(`{"errors":[{"errorCode":2}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := New(mustURL(t, "https://api.icims.com"), testCustomer, Basic("u", "p"), WithBaseTransport(answering(200, nil, string(data))))
		if err != nil {
			t.Fatal(err)
		}
		ids, _, err := c.SearchPeople(t.Context(), EmailQuery(OpExact, "a@example.com"))
		if err != nil {
			wantError(t, err)
			return
		}
		seen := map[PersonID]bool{}
		for _, id := range ids {
			if id <= 0 || seen[id] {
				t.Errorf("id %d is wrong or there twice", id)
			}
			seen[id] = true
		}
	})
}
