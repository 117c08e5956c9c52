package input

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func ana() Candidate {
	return Candidate{
		ID: "c-000123", FirstName: "Ana", LastName: "Duarte", Email: "ana.duarte@example.com",
		Phones:         []Phone{{"+1 425 555 0143", "mobile"}},
		LinkedInURL:    "https://www.linkedin.com/in/example",
		WorkExperience: []WorkExperience{{Employer: "Contoso", Title: "Data Engineer", Start: "2021-03"}},
		Education:      []Education{{School: "University of Porto", Degree: "Master of Science"}},
	}
}

// values returns all values of a candidate that are long enough to be recognized in a text.
func values(c Candidate) []string {
	all := []string{c.ID, c.FirstName, c.LastName, c.Email, c.LinkedInURL}
	for _, p := range c.Phones {
		all = append(all, p.Number, p.Type)
	}
	for _, w := range c.WorkExperience {
		all = append(all, w.Employer, w.Title, w.Start, w.End)
	}
	for _, e := range c.Education {
		all = append(all, e.School, e.Degree)
	}
	return slices.DeleteFunc(all, func(v string) bool { return len(strings.TrimSpace(v)) < 2 })
}

func repeat[T any](v T, n int) []T { return slices.Repeat([]T{v}, n) }

// normalized returns the candidate as it is stored and sent.
func (c Candidate) normalized() Candidate { return c.Cleaned() }

func TestValidate(t *testing.T) {
	dummies := Options{GenerateDummyEmails: true}
	position := func(w WorkExperience) func(*Candidate) {
		return func(c *Candidate) { c.WorkExperience = []WorkExperience{w} }
	}
	email := func(addr string) func(*Candidate) { return func(c *Candidate) { c.Email = addr } }
	phone := func(p Phone) func(*Candidate) { return func(c *Candidate) { c.Phones = []Phone{p} } }
	id := func(id string) func(*Candidate) { return func(c *Candidate) { c.ID = id } }
	link := func(u string) func(*Candidate) { return func(c *Candidate) { c.LinkedInURL = u } }
	for _, tc := range []struct {
		name    string
		change  func(*Candidate)
		options Options
		want    []string
	}{
		{"a whole candidate is accepted", func(*Candidate) {}, Options{}, nil},
		{"white space around values is accepted", func(c *Candidate) { c.Email = "\u00a0ana@example.com \n"; c.ID = " c-1\u200b" }, Options{}, nil},
		{"no id", id(" "), Options{}, []string{"id:id_missing"}},
		{"an id with a space", id("c 1"), Options{}, []string{"id:id_malformed"}},
		{"an id with a control character", id("c\x001"), Options{}, []string{"id:id_malformed"}},
		{"an id of 128 bytes is accepted", id(strings.Repeat("a", 128)), Options{}, nil},
		{"an id of 129 bytes", id(strings.Repeat("a", 129)), Options{}, []string{"id:id_malformed"}},
		{"an id that is an address", id("ana.duarte@example.com"), Options{}, []string{"id:id_personal"}},
		{"an id that is a phone number", id("+14255550143"), Options{}, []string{"id:id_personal"}},
		{"an id that is a written phone number", id("425-555-0143"), Options{}, []string{"id:id_personal"}},
		{"an id that is a bracketed phone number", id("(425) 555-0143"), Options{}, []string{"id:id_personal"}},
		{"an id that is a local phone number", id("555-0143"), Options{}, []string{"id:id_personal"}},
		{"the id of the test candidate", id("icims-export:test"), Options{}, []string{"id:id_reserved"}},
		{"a numeric id is accepted", id("4255550143"), Options{}, nil},
		{"a date as id is accepted", id("2021-03-15"), Options{}, nil},
		{"a UUID as id is accepted", id("7d444840-9dc0-11d1-b245-5ffdce74fad2"), Options{}, nil},
		{"no first name", func(c *Candidate) { c.FirstName = "\t" }, Options{}, []string{"first_name:first_name_missing"}},
		{"no last name", func(c *Candidate) { c.LastName = "" }, Options{}, []string{"last_name:last_name_missing"}},
		{"a name of 128 characters is accepted", func(c *Candidate) { c.FirstName = strings.Repeat("é", 128) }, Options{}, nil},
		{"a name of 129 characters", func(c *Candidate) { c.LastName = strings.Repeat("é", 129) }, Options{}, []string{"last_name:value_too_long"}},
		{"a control character in a name", func(c *Candidate) { c.FirstName = "An\x00a" }, Options{}, []string{"first_name:control_characters"}},
		{"broken text in a name", func(c *Candidate) { c.FirstName = "An\xffa" }, Options{}, []string{"first_name:not_utf8"}},
		{"a line break in a title is accepted", position(WorkExperience{Title: "Data\nEngineer"}), Options{}, nil},
		{"no address", email(""), Options{}, []string{"email:email_missing"}},
		{"no address, with dummies", email(""), dummies, nil},
		{"a malformed address, with dummies", email("ana"), dummies, []string{"email:email_malformed"}},
		{"an address without domain", email("ana@"), Options{}, []string{"email:email_malformed"}},
		{"an address without local part", email("@example.com"), Options{}, []string{"email:email_malformed"}},
		{"an address without a dotted domain", email("ana@localhost"), Options{}, []string{"email:email_malformed"}},
		{"an address at an IP address", email("ana@127.0.0.1"), Options{}, []string{"email:email_malformed"}},
		{"an address with a label that ends in a hyphen", email("ana@example-.com"), Options{}, []string{"email:email_malformed"}},
		{"an address with two dots in a row", email("ana..duarte@example.com"), Options{}, []string{"email:email_malformed"}},
		{"an address with a space", email("ana duarte@example.com"), Options{}, []string{"email:email_malformed"}},
		{"an address with a scheme", email("mailto:ana@example.com"), Options{}, []string{"email:email_malformed"}},
		{"an address with a display name", email("Ana Duarte <ana@example.com>"), Options{}, []string{"email:email_malformed"}},
		{"two addresses", email("ana@example.com, ad@example.org"), Options{}, []string{"email:email_several"}},
		{"an address with a separator behind it", email("ana@example.com;"), Options{}, []string{"email:email_several"}},
		{"two addresses with a slash", email("ana@example.com / ad@example.org"), Options{}, []string{"email:email_several"}},
		{"an address with two @", email("ana@@example.com"), Options{}, []string{"email:email_malformed"}},
		{"an address with an accent", email("josé@example.com"), Options{}, []string{"email:email_accents"}},
		{"an address with an accent in its domain", email("jose@exämple.com"), Options{}, []string{"email:email_accents"}},
		{"an address in Punycode is accepted", email("jose@xn--exmple-cua.com"), Options{}, nil},
		{"a tagged address is accepted", email("Ana.O'Neil+jobs_1@mail.example.co.uk"), Options{}, nil},
		{"a local part of 64 characters is accepted", email(strings.Repeat("a", 64) + "@example.com"), Options{}, nil},
		{"a local part of 65 characters", email(strings.Repeat("a", 65) + "@example.com"), Options{}, []string{"email:email_malformed"}},
		{"an address of 255 characters", email("ana@" + strings.Repeat("abcdefghi.", 24) + "exampl.info"), Options{}, []string{"email:email_malformed"}},
		{"an absurdly long address", email(strings.Repeat("a", 2000)), Options{}, []string{"email:value_too_long"}},
		{"a phone without digit", phone(Phone{"none known", ""}), Options{}, []string{"phones[0].number:phone_no_digits"}},
		{"a phone in other digits is accepted", phone(Phone{"٠١٢٣٤٥٦٧٨٩", ""}), Options{}, nil},
		{"a phone that a spreadsheet rounded", phone(Phone{"1.42556E+10", ""}), Options{}, []string{"phones[0].number:phone_rounded"}},
		{"a phone type without number is accepted", phone(Phone{"", "mobile"}), Options{}, nil},
		{"an over-long phone", phone(Phone{strings.Repeat("12", 65), ""}), Options{}, []string{"phones[0].number:value_too_long"}},
		{"an over-long phone type", phone(Phone{"12", strings.Repeat("mo", 65)}), Options{}, []string{"phones[0].type:value_too_long"}},
		{"ten phones are accepted", func(c *Candidate) { c.Phones = repeat(Phone{"12", ""}, 10) }, Options{}, nil},
		{"eleven phones", func(c *Candidate) { c.Phones = repeat(Phone{"12", ""}, 11) }, Options{}, []string{"phones:too_many"}},
		{"101 positions", func(c *Candidate) { c.WorkExperience = repeat(WorkExperience{Title: "Engineer"}, 101) }, Options{}, []string{"work_experience:too_many"}},
		{"51 schools", func(c *Candidate) { c.Education = repeat(Education{School: "Porto"}, 51) }, Options{}, []string{"education:too_many"}},
		{"countless empty entries are accepted", func(c *Candidate) {
			c.Phones, c.WorkExperience, c.Education = make([]Phone, 200), make([]WorkExperience, 200), make([]Education, 200)
		}, Options{}, nil},
		{"a long title is accepted", position(WorkExperience{Title: strings.Repeat("ab", 500)}), Options{}, nil},
		{"an absurd title", position(WorkExperience{Title: strings.Repeat("ab", 501)}), Options{}, []string{"work_experience[0].title:value_too_long"}},
		{"an absurd employer", position(WorkExperience{Employer: strings.Repeat("ab", 501)}), Options{}, []string{"work_experience[0].employer:value_too_long"}},
		{"an absurd school and degree", func(c *Candidate) {
			c.Education = repeat(Education{strings.Repeat("ab", 501), strings.Repeat("cd", 501)}, 1)
		}, Options{},
			[]string{"education[0].school:value_too_long", "education[0].degree:value_too_long"}},
		{"a date of words", position(WorkExperience{Title: "x", Start: "March 2021", End: "present"}), Options{},
			[]string{"work_experience[0].start:date_malformed", "work_experience[0].end:date_malformed"}},
		{"a day that does not exist", position(WorkExperience{Title: "x", Start: "2021-02-30"}), Options{}, []string{"work_experience[0].start:date_impossible"}},
		{"the index is that of the input", func(c *Candidate) {
			c.WorkExperience = []WorkExperience{{}, {Title: "x", Start: "2021-13"}}
		}, Options{}, []string{"work_experience[1].start:date_impossible"}},
		{"end before start", position(WorkExperience{Title: "x", Start: "2021-03", End: "2020-12-31"}), Options{}, []string{"work_experience[0].end:dates_reversed"}},
		{"an end that may be before the start is accepted", position(WorkExperience{Title: "x", Start: "2021-03", End: "2021"}), Options{}, nil},
		{"an end without a start is accepted", position(WorkExperience{Title: "x", End: "2021"}), Options{}, nil},
		{"a profile URL without scheme", link("www.linkedin.com/in/example"), Options{}, []string{"linkedin_url:linkedin_malformed"}},
		{"a profile URL of another scheme", link("javascript:alert(1)"), Options{}, []string{"linkedin_url:linkedin_malformed"}},
		{"a profile URL with a password", link("https://ana:secret@www.linkedin.com/in/x"), Options{}, []string{"linkedin_url:linkedin_malformed"}},
		{"a profile URL that does not parse", link("https://www.linkedin.com/%zz"), Options{}, []string{"linkedin_url:linkedin_malformed"}},
		{"a profile URL in other letters is accepted", link("HTTPS://www.linkedin.com/in/josé-%C3%A9"), Options{}, nil},
		{"an over-long profile URL", link("https://example.com/" + strings.Repeat("ab", 1020)), Options{}, []string{"linkedin_url:value_too_long"}},
		{"everything at once", func(c *Candidate) { *c = Candidate{} }, Options{},
			[]string{"id:id_missing", "first_name:first_name_missing", "last_name:last_name_missing", "email:email_missing"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			c := ana()
			tc.change(&c)
			var got []string
			for _, p := range c.Validate(tc.options) {
				got = append(got, p.Field+":"+p.Code)
				if p.Message == "" || p.Remedy == "" {
					t.Errorf("%s says nothing", p.Code)
				}
				for _, v := range values(c) {
					if strings.Contains(p.String(), v) && !slices.Contains(innocent, v) {
						t.Errorf("%s repeats a value: %s", p.Code, p)
					}
				}
			}
			if diff := cmp.Diff(tc.want, got); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
			if again := c.normalized().Validate(tc.options); (len(again) == 0) != (len(got) == 0) {
				t.Errorf("judged otherwise once normalized: %v", again)
			}
		})
	}
}

// innocent are values of the table that also occur in messages.
var innocent = []string{"12"}

func TestNormalized(t *testing.T) {
	in := Candidate{
		ID: " c-1\u200b", FirstName: "Jose\u0301", LastName: "\u00a0de\t la\r\nCruz ", Email: " ana@example.com ",
		Phones:         []Phone{{" ", "mobile"}, {" 1 ", " Home "}},
		LinkedInURL:    " https://example.com ",
		WorkExperience: []WorkExperience{{Employer: " "}, {Employer: " A ", Title: "B\u2028C", Start: " 2021", End: "2022 "}},
		Education:      []Education{{}, {School: " S ", Degree: " D "}},
		origin:         origin{line: 7},
	}
	before := fmt.Sprintf("%+v", in)
	want := Candidate{
		ID: "c-1", FirstName: "José", LastName: "de la Cruz", Email: "ana@example.com",
		Phones:         []Phone{{"1", "Home"}},
		LinkedInURL:    "https://example.com",
		WorkExperience: []WorkExperience{{Employer: "A", Title: "B C", Start: "2021", End: "2022"}},
		Education:      []Education{{School: "S", Degree: "D"}},
		origin:         origin{line: 7},
	}
	got := in.normalized()
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(Candidate{}, origin{})); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if diff := cmp.Diff(got, got.normalized(), cmp.AllowUnexported(Candidate{}, origin{}), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("a second time changes it\n%s", diff)
	}
	if after := fmt.Sprintf("%+v", in); after != before {
		t.Error("the input was changed")
	}
}

func TestDummyEmail(t *testing.T) {
	const domain = "seekout.example.com"
	for n, want := range map[int32]string{
		-352233856: "no-email--352233856@seekout.example.com",
		352233856:  "no-email-352233856@seekout.example.com",
		0:          "no-email-0@seekout.example.com",
		-1 << 31:   "no-email--2147483648@seekout.example.com",
	} {
		got := DummyEmail(n, domain)
		if got != want {
			t.Errorf("DummyEmail(%d) = %s", n, got)
		}
		if !IsDummyEmail(got, domain) || !IsDummyEmail(strings.ToUpper(got), domain) {
			t.Errorf("%s is not recognised", got)
		}
		c := ana()
		if c.Email = got; len(c.Validate(Options{})) > 0 {
			t.Errorf("%s is refused", got)
		}
	}
	for _, other := range []string{
		"", "no-email-1", "no-email-@" + domain, "no-email-1@example.com", "no-email-01@" + domain, "no-email-+1@" + domain,
		"no-email-2147483648@" + domain, "x-no-email-1@" + domain, "no-email-1@" + domain + "@" + domain, "ana@" + domain,
	} {
		if IsDummyEmail(other, domain) {
			t.Errorf("%q passes as a dummy", other)
		}
	}
}

func TestRowErrorNamesItsPlace(t *testing.T) {
	problems := []Problem{{Field: "email", Message: "is missing", Remedy: "add it"}, {Message: "the row is odd"}}
	const rest = " refused: email: is missing; add it; the row is odd"
	for want, err := range map[string]*RowError{
		"line 7" + rest:        {Line: 7, Candidate: "c-1", Problems: problems},
		"candidate c-1" + rest: {Candidate: "c-1", Problems: problems},
		"candidate" + rest:     {Problems: problems},
	} {
		if err.Error() != want {
			t.Errorf("%q, want %q", err.Error(), want)
		}
	}
}

// The tables of docs/input.md have exactly the codes.
func TestCodesAreDocumented(t *testing.T) {
	text, err := os.ReadFile("../../docs/input.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, _ := strings.Cut(string(text), "## Refusals")
	var documented []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z0-9_]+)` \\|[^|]+\\|[^|]+\\|$").FindAllStringSubmatch(table, -1) {
		documented = append(documented, m[1])
	}
	codes := append(slices.Clone(refusingCodes), warningCodes...)
	codes = append(codes, "id_duplicate") // reported by the client, not here
	less := cmpopts.SortSlices(strings.Compare)
	if diff := cmp.Diff(codes, documented, less); diff != "" {
		t.Errorf("-code +docs\n%s", diff)
	}
}
