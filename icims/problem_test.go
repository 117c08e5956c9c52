package icims

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// plainProblem is a Problem with its text exposed.
type plainProblem struct {
	Code        int
	Field, Text string
}

func exposed(problems []Problem) []plainProblem {
	var out []plainProblem
	for _, p := range problems {
		out = append(out, plainProblem{p.Code, p.Field, p.Text()})
	}
	return out
}

func TestReadProblems(t *testing.T) {
	tests := []struct {
		name   string
		header http.Header
		body   string
		sent   string
		want   []plainProblem
	}{
		{name: "nothing"},
		{name: "a header with a code", header: http.Header{"X-Error": {"2:Job not found."}}, want: []plainProblem{{2, "", "Job not found."}}},
		{name: "a header with a field", header: http.Header{"X-Error": {"1:email:is required"}}, want: []plainProblem{{1, "email", "is required"}}},
		{name: "a header for each problem", header: http.Header{"X-Error": {"1:email:a", "1:lastname:a"}}, want: []plainProblem{{1, "email", "a"}, {1, "lastname", "a"}}},
		{name: "a warning", header: http.Header{"X-Warning": {"4:sourcename:b"}}, want: []plainProblem{{4, "sourcename", "b"}}},
		{name: "a header with a code only", header: http.Header{"X-Error": {"3"}}, want: []plainProblem{{3, "", ""}}},
		{name: "a header without a code", header: http.Header{"X-Error": {"out of order"}}, want: []plainProblem{{-1, "", "out of order"}}},
		{name: "a filter", header: http.Header{"X-Error": {"4:person.email:c"}}, want: []plainProblem{{4, "person.email", "c"}}},
		{name: "a name is no field", header: http.Header{"X-Error": {"4:Ana:c", "4:ana.duarte:c"}}, want: []plainProblem{{4, "", "Ana:c"}, {4, "", "ana.duarte:c"}}},
		{name: "a field in upper case that was sent", header: http.Header{"X-Error": {"4:firstName:c"}}, sent: `{"firstName":"x"}`, want: []plainProblem{{4, "firstName", "c"}}},
		{name: "an empty header", header: http.Header{"X-Error": {" "}}},
		{name: "a colon in a sentence", header: http.Header{"X-Error": {"0:It failed: see log"}}, want: []plainProblem{{0, "", "It failed: see log"}}},
		{
			name: "wrong credentials as recorded",
			body: `{"errors":[{"errorMessage":"Invalid Username or Password credentials provided.","errorCode":6}]}`,
			want: []plainProblem{{6, "", "Invalid Username or Password credentials provided."}},
		},
		{name: "a quoted code", body: `{"errors":[{"errorMessage":"x","errorCode":"4"}]}`, want: []plainProblem{{4, "", "x"}}},
		{name: "no code", body: `{"errors":[{"errorMessage":"x"}]}`, want: []plainProblem{{-1, "", "x"}}},
		{name: "a code that is none", body: `{"errors":[{"errorMessage":"x","errorCode":{}}]}`, want: []plainProblem{{-1, "", "x"}}},
		{name: "errors and warnings", body: `{"errors":[{"errorCode":1}],"warnings":[{"errorCode":4}]}`, want: []plainProblem{{1, "", ""}, {4, "", ""}}},
		{name: "an object instead of an array", body: `{"errors":{"errorMessage":"x","errorCode":1}}`, want: []plainProblem{{1, "", "x"}}},
		{name: "text instead of an object", body: `{"errors":["x"]}`, want: []plainProblem{{-1, "", "x"}}},
		{name: "null", body: `{"errors":null,"warnings":null}`},
		{name: "unknown members", body: `{"errors":[{"errorCode":1,"new":[1]}],"other":true}`, want: []plainProblem{{1, "", ""}}},
		{
			name:   "the same in header and body is one",
			header: http.Header{"X-Warning": {"4:sourcename:Provided source is not valid so cannot set sourcename."}},
			body:   `{"warnings":[{"errorMessage":"sourcename: Provided source is not valid so cannot set sourcename.","errorCode":4}]}`,
			want:   []plainProblem{{4, "sourcename", "Provided source is not valid so cannot set sourcename."}},
		},
		{name: "a body that was cut", body: `{"errors":[{"errorMessage":"x","errorCode":"3"},{"errorM`, want: []plainProblem{{3, "", ""}}},
		{name: "a page", body: `<html>"errorCode":3</html>`},
		{name: "a search result", body: `{"searchResults":[]}`},
		{
			name: "a message that begins with what was sent is no field", body: `{"errors":[{"errorMessage":"duarte: no","errorCode":4}]}`,
			sent: `{"lastname":"Duarte"}`, want: []plainProblem{{4, "", "duarte: no"}},
		},
		{
			name: "a field that was sent is one, though a value holds its name", body: `{"errors":[{"errorMessage":"email: no","errorCode":4}]}`,
			sent: `{"email":"no-email@example.com"}`, want: []plainProblem{{4, "email", "no"}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := exposed(readProblems(tt.header, []byte(tt.body), func() []byte { return []byte(tt.sent) }))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAProblemDoesNotPrintItsText(t *testing.T) {
	p := readProblems(http.Header{"X-Error": {"4:email:ana.duarte@example.com is taken"}}, nil, func() []byte { return nil })[0]
	type holder struct {
		P        Problem
		List     []Problem
		unlisted Problem
	}
	h := holder{p, []Problem{p}, p}
	data, err := json.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	all := string(data)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%d", "%x"} {
		all += fmt.Sprintf(verb, p) + fmt.Sprintf(verb, &p) + fmt.Sprintf(verb, h) + fmt.Sprintf(verb, &h)
	}
	if strings.Contains(all, "duarte") || strings.Contains(all, "taken") || strings.Contains(all, fmt.Sprintf("%x", "duarte")) {
		t.Errorf("the text shows: %s", all)
	}
	if got, want := p.String(), "code 4 on email"; got != want {
		t.Errorf("prints %q, want %q", got, want)
	}
	if got, want := p.Text(), "ana.duarte@example.com is taken"; got != want {
		t.Errorf("text %q, want %q", got, want)
	}
}

var problemText = regexp.MustCompile(`^(no code|code \d{1,5})( on [A-Za-z][A-Za-z0-9_.]{0,63})?$`)

func FuzzProblems(f *testing.F) {
	f.Add("4:sourcename:detail", `{"errors":[{"errorMessage":"email: x","errorCode":2}]}`, `{"email":"x"}`)
	f.Add("", `{"errors":{"errorMessage":1}}`, ``)
	f.Add("-1:a:b", `{"warnings":[[],null,3,"x"]}`, `[`)
	f.Fuzz(func(t *testing.T, header, body, sent string) {
		for _, p := range readProblems(http.Header{"X-Error": {header}, "X-Warning": {header}}, []byte(body), func() []byte { return []byte(sent) }) {
			if !problemText.MatchString(p.String()) {
				t.Errorf("prints %q", p.String())
			}
			if p.Code < CodeUnknown || p.Code > 65535 {
				t.Errorf("code %d", p.Code)
			}
		}
	})
}
