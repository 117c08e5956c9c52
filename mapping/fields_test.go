package mapping

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks/input"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// mappingCandidates reads the candidates of a file, all of which must be valid.
func mappingCandidates(t *testing.T, name string) []input.Candidate {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var all []input.Candidate
	for c, err := range input.Read(bytes.NewReader(text), name) {
		if err != nil {
			t.Fatal(err)
		}
		if problems := c.Validate(input.Options{}); len(problems) > 0 {
			t.Fatalf("line %d: %v", c.Line(), problems)
		}
		all = append(all, c)
	}
	return all
}

func storedPerson(t *testing.T, text string) icims.Person {
	t.Helper()
	var p icims.Person
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		t.Fatal(err)
	}
	return p
}

// otherTenant returns a connection whose tenant uses other names for everything.
func otherTenant() store.Connection {
	return store.Connection{
		Source: "Sourcing", Folder: store.NodeRef{Value: "Cand:New"}, Status: store.NodeRef{ID: "C36951"}, LinkedInField: "field51001",
		Fields: store.FieldNames{
			WorkExperience: store.WorkExperienceFields{Collection: "rcf3211", Employer: "rcf3212", Title: "rcf3213", Start: "rcf3214", End: "rcf3215"},
			Education:      store.EducationFields{Collection: "schools", School: "schoolname", Degree: "degreename"},
		},
	}
}

// storedAna is a profile of the first candidate in iCIMS with other values in every field, both
// those that an update compares and those it leaves alone.
const storedAna = `{"firstname":"Anna","lastname":"Duarte","email":"ANA.DUARTE@example.com",
	"folder":{"id":"D32006","value":"Cand:Unreviewed"},"source":"Referral","field51001":"https://www.linkedin.com/in/old",
	"phones":[{"entry":5310,"phonenumber":"1.425.555.0143","primary":true,"phonetype":{"id":"D83002","value":"Home"}}],
	"workexperience":[{"entry":1,"workemployer":"Fabrikam"}],"education":[{"entry":2,"school":{"value":"Elsewhere"}}]}`

func TestRequestBodiesGolden(t *testing.T) {
	for _, tc := range []struct {
		name string
		conn store.Connection
	}{
		{"defaults", store.Connection{LinkedInField: "field51001"}.WithDefaults()},
		{"tenant", otherTenant()},
		{"no_linkedin", store.Connection{}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			var b bytes.Buffer
			show := func(what string, body any, ws []Warning) {
				text, err := json.MarshalIndent(body, "", "  ")
				if err != nil {
					t.Fatal(err)
				}
				fmt.Fprintf(&b, "%s\n%s\n", what, text)
				for _, w := range ws {
					fmt.Fprintf(&b, "warning %s\n", w)
				}
				b.WriteByte('\n')
			}
			for _, c := range mappingCandidates(t, "testdata/candidates.ndjson") {
				f, ws := Person(c, tc.conn)
				show("create "+c.ID, f, ws)
				changes, phones, ws := Changes(c, tc.conn, storedPerson(t, storedAna))
				show("update "+c.ID, changes, ws)
				for _, p := range phones {
					show("add phone "+c.ID, p, nil)
				}
			}
			show("read before update", ReadFields(tc.conn), nil)
			show("workflow", Workflow(90210, 1709, tc.conn, tc.conn.Status), nil)
			golden := "testdata/" + tc.name + ".golden"
			if *update {
				if err := os.WriteFile(golden, b.Bytes(), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), b.String()); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

// TestCreateIsTheSheetsExample compares with the example of API sheet §6.7, except for the order of
// fields.
func TestCreateIsTheSheetsExample(t *testing.T) {
	const want = `{"firstname":"Ana","lastname":"Duarte","email":"ana.duarte@example.com","folder":{"id":"D32007"},"source":"SeekOut",
		"phones":[{"phonetype":{"value":"Mobile"},"phonenumber":"+1 425 555 0143"}],
		"workexperience":[{"workemployer":"Contoso","worktitle":"Data Engineer","workstartdate":"2021-03-01"}],
		"education":[{"school":{"value":"University of Porto"},"degree":{"value":"Master of Science"}}],
		"field51001":"https://www.linkedin.com/in/example"}`
	f, ws := Person(mappingCandidates(t, "testdata/candidates.ndjson")[0], store.Connection{LinkedInField: "field51001"})
	if len(ws) > 0 {
		t.Errorf("warnings %v", ws)
	}
	if diff := cmp.Diff(asJSON(t, json.RawMessage(want)), asJSON(t, f)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func asJSON(t *testing.T, v any) any {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var out any
	if err := json.Unmarshal(text, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func TestPersonChanges(t *testing.T) {
	conn := store.Connection{LinkedInField: "field51001"}
	const link = "https://www.linkedin.com/in/example"
	phone := func(numbers ...string) []input.Phone {
		var all []input.Phone
		for _, n := range numbers {
			all = append(all, input.Phone{Number: n})
		}
		return all
	}
	for _, tc := range []struct {
		name      string
		candidate input.Candidate
		stored    string
		changes   icims.Fields
		phones    []string
	}{
		{"an equal profile needs no change", input.Candidate{FirstName: "Ana", LastName: "Duarte", Email: "a@example.com", LinkedInURL: link, Phones: phone("+1 (425) 555-0143")},
			`{"firstname":"Ana","lastname":" Duarte ","field51001":"` + link + `","phones":[{"entry":1,"phonenumber":"1.425.555.0143"}]}`, icims.Fields{}, nil},
		{"only what differs is sent", input.Candidate{FirstName: "Ana", LastName: "Duarte-Li", LinkedInURL: link},
			`{"firstname":"Ana","lastname":"Duarte","field51001":"` + link + `"}`, icims.Fields{"lastname": "Duarte-Li"}, nil},
		{"composed and decomposed letters are equal", input.Candidate{FirstName: "José"}, `{"firstname":"Jose\u0301"}`, icims.Fields{}, nil},
		{"empty values clear nothing", input.Candidate{}, `{"firstname":"Ana","lastname":"Duarte","field51001":"` + link + `","phones":[{"phonenumber":"1"}]}`, icims.Fields{}, nil},
		{"a missing field is filled", input.Candidate{LinkedInURL: link}, `{}`, icims.Fields{"field51001": link}, nil},
		{"a field that is null is filled", input.Candidate{LinkedInURL: link}, `{"field51001":null}`, icims.Fields{"field51001": link}, nil},
		{"a field that comes as a list node is compared", input.Candidate{LinkedInURL: link}, `{"field51001":{"value":"` + link + `"}}`, icims.Fields{}, nil},
		{"a phone with another country code is another", input.Candidate{Phones: phone("+1 425 555 0143")}, `{"phones":[{"phonenumber":"425-555-0143"}]}`, icims.Fields{}, []string{"+1 425 555 0143"}},
		{"a phone given twice is added once", input.Candidate{Phones: phone("425 555 0143", "(425) 555-0143", "7")}, `{}`, icims.Fields{}, []string{"425 555 0143", "7"}},
		{"an extension of its own counts", input.Candidate{Phones: phone("425 555 0143 x12")}, `{"phones":[{"phonenumber":"425-555-0143","phoneextension":"12"}]}`, icims.Fields{}, nil},
		{"other digits are compared as well", input.Candidate{Phones: phone("٠١٢ ٣٤٥", "٩٩")}, `{"phones":[{"phonenumber":"٠١٢٣٤٥"}]}`, icims.Fields{}, []string{"٩٩"}},
		{"e-mail, folder, source, experience and education are left alone", input.Candidate{Email: "new@example.com",
			WorkExperience: []input.WorkExperience{{Employer: "Contoso", Title: strings.Repeat("x", 100)}}, Education: []input.Education{{School: "Porto"}}},
			storedAna, icims.Fields{}, nil},
	} {
		t.Run(tc.name, func(t *testing.T) {
			changes, phones, ws := Changes(tc.candidate, conn, storedPerson(t, tc.stored))
			if diff := cmp.Diff(tc.changes, changes); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
			var numbers []string
			for _, p := range phones {
				numbers = append(numbers, p["phonenumber"].(string))
			}
			if diff := cmp.Diff(tc.phones, numbers); diff != "" {
				t.Errorf("phones: -want +got\n%s", diff)
			}
			if len(ws) > 0 {
				t.Errorf("warnings %v", ws)
			}
		})
	}
	t.Run("a profile URL without a field for it is skipped with a warning", func(t *testing.T) {
		changes, _, ws := Changes(input.Candidate{LinkedInURL: link}, store.Connection{}, icims.Person{})
		if len(changes) > 0 || !slices.Equal(ws, []Warning{WarningLinkedInSkipped}) {
			t.Errorf("%v, %v", changes, ws)
		}
	})
	t.Run("what was created needs no change", func(t *testing.T) {
		for _, c := range mappingCandidates(t, "testdata/candidates.ndjson") {
			f, _ := Person(c, conn)
			text, err := json.Marshal(f)
			if err != nil {
				t.Fatal(err)
			}
			changes, phones, _ := Changes(c, conn, storedPerson(t, string(text)))
			if len(changes) > 0 || len(phones) > 0 {
				t.Errorf("%s: %v, %v", c.ID, changes, phones)
			}
		}
	})
}

func TestPhoneTypes(t *testing.T) {
	for _, tc := range []struct {
		label, want string
		understood  bool
	}{
		{"mobile", "Mobile", true}, {"Mobile Phone", "Mobile", true}, {"CELL", "Mobile", true}, {"cell_phone", "Mobile", true}, {"cellular", "Mobile", true},
		{"mobile number", "Mobile", true},
		{"home", "Home", true}, {"Home telephone", "Home", true},
		{"work", "Work", true}, {"office", "Work", true}, {"Business", "Work", true},
		{"", "", true}, {"phone", "", true}, {"telephone", "", true}, {"other", "", true}, {"unknown", "", true},
		{"pager", "", false}, {"fax", "", false}, {"homework", "", false},
	} {
		t.Run(tc.label, func(t *testing.T) {
			got, understood := phoneType(tc.label)
			if got != tc.want || understood != tc.understood {
				t.Errorf("%q, %v", got, understood)
			}
			f, ws := Person(input.Candidate{Phones: []input.Phone{{Number: "1", Type: tc.label}}}, store.Connection{})
			want := icims.Fields{"phonenumber": "1"}
			if tc.want != "" {
				want["phonetype"] = icims.Fields{"value": tc.want}
			}
			if diff := cmp.Diff([]icims.Fields{want}, f["phones"]); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
			if slices.Contains(ws, WarningPhoneTypeDropped) == tc.understood {
				t.Errorf("warnings %v", ws)
			}
		})
	}
}

func TestCutText(t *testing.T) {
	x63 := strings.Repeat("x", 63)
	for _, tc := range []struct {
		name, in, want string
		cut            bool
	}{
		{"64 characters stay", x63 + "y", x63 + "y", false},
		{"64 characters of several bytes stay", strings.Repeat("é", 64), strings.Repeat("é", 64), false},
		{"65 are cut", x63 + "yz", x63 + "y", true},
		{"65 of several bytes are cut", strings.Repeat("漢", 65), strings.Repeat("漢", 64), true},
		{"a space at the cut goes", x63 + " z", x63, true},
		{"an accent is not cut from its letter", x63 + "q\u0308z", x63, true},
		{"a skin tone is not cut from its emoji", x63 + "👩🏽z", x63, true},
		{"a joined emoji is not cut apart", x63[:61] + "👩\u200d🔬z", x63[:61] + "👩\u200d🔬", true},
		{"nor before its joiner", x63[:62] + "👩\u200d🔬z", x63[:62], true},
		{"nor behind it", x63[:62] + "👩\u200d🔬", x63[:62], true},
		{"accents alone are cut somewhere", strings.Repeat("\u0308", 70), strings.Repeat("\u0308", 64), true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, cut := cutText(tc.in, 64)
			if got != tc.want || cut != tc.cut {
				t.Errorf("%q, %v; want %q, %v", got, cut, tc.want, tc.cut)
			}
			if !utf8.ValidString(got) {
				t.Error("a rune was cut")
			}
		})
	}
}

func TestWorkflowWithoutStatus(t *testing.T) {
	got := Workflow(90210, 1709, store.Connection{}, store.NodeRef{})
	if diff := cmp.Diff(icims.Fields{"baseprofile": int64(1709), "associatedprofile": int64(90210), "source": "SeekOut"}, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestWarnings(t *testing.T) {
	text, err := os.ReadFile("../docs/mapping.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "## Warnings")
	var documented []Warning
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_]+)").FindAllStringSubmatch(table, -1) {
		documented = append(documented, Warning(m[1]))
	}
	if diff := cmp.Diff(Warnings(), documented, cmpopts.SortSlices(func(a, b Warning) bool { return a < b })); diff != "" {
		t.Errorf("-code +docs\n%s", diff)
	}
	for _, w := range Warnings() {
		if text := w.Text(); len(text) < 20 || !strings.HasSuffix(text, ".") {
			t.Errorf("%s has no sentence: %q", w, text)
		}
	}
	t.Run("the ledger's codes are read", func(t *testing.T) {
		if ws := ParseWarnings("title_cut,field_refused:education"); !slices.Equal(ws, []Warning{WarningTitleCut, "field_refused:education"}) {
			t.Errorf("got %v", ws)
		}
		if ws := ParseWarnings(""); ws != nil {
			t.Errorf("got %v of nothing", ws)
		}
	})
	t.Run("a refused field is named", func(t *testing.T) {
		w := WarningFieldRefused.About("workexperience")
		if w != "field_refused:workexperience" || w.Code() != WarningFieldRefused || !strings.Contains(w.Text(), "workexperience") {
			t.Errorf("%s: %s", w, w.Text())
		}
	})
	t.Run("what is no field name is not repeated", func(t *testing.T) {
		for _, name := range []string{"Ana Duarte", "ana@example.com", "", "+1 425", "a:b"} {
			if w := WarningFieldRefused.About(name); w != WarningFieldRefused {
				t.Errorf("%q gave %s", name, w)
			}
			if text := (WarningFieldRefused + Warning(":"+name)).Text(); name != "" && strings.Contains(text, name) {
				t.Errorf("%q is repeated: %s", name, text)
			}
		}
	})
}
