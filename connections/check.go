package connections

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/seekout/icims-export/config"
	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks/input"
)

// Problem is one invalid setting of a connection. It names the setting and never contains its
// value.
type Problem struct {
	Setting string `json:"setting"` // name in the connections file
	Code    string `json:"code"`    // stable, machine-readable
	Message string `json:"message"` // a sentence that says what to change
}

func (p Problem) Error() string { return p.Setting + ": " + p.Message }

// InvalidError refuses a connection and lists all its problems.
type InvalidError struct{ Problems []Problem }

func (e *InvalidError) Error() string {
	texts := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		texts[i] = p.Error()
	}
	return strings.Join(texts, "; ")
}

// Check validates a connection without a call. It fails with an *InvalidError.
func Check(c store.Connection, hosts icims.HostPolicy) error {
	k := checker{c: c.WithDefaults(), hosts: hosts}
	k.account()
	k.portals()
	k.tenant()
	k.limits()
	return k.result()
}

// CheckEdit validates a connection that replaces another. An empty password keeps the old one. For
// another host or another type of authentication the password must be entered again.
func CheckEdit(before, after store.Connection, hosts icims.HostPolicy) error {
	k := checker{c: after.WithDefaults(), hosts: hosts}
	if after.Password == "" {
		k.c.Password = before.Password
		before = before.WithDefaults()
		if before.Auth != k.c.Auth || before.TokenURL != k.c.TokenURL || rootOf(before, hosts) != rootOf(k.c, hosts) {
			k.addf("password", "password_needed", "enter it again: the host or the type of authentication has changed")
		}
	}
	k.account()
	k.portals()
	k.tenant()
	k.limits()
	return k.result()
}

// rootOf returns the API root of a connection, or "" if its portal URLs are invalid.
func rootOf(c store.Connection, hosts icims.HostPolicy) string {
	list, err := icims.ParsePortalURLs(c.PortalURLs, hosts)
	if err != nil {
		return ""
	}
	return list[0].Root.String()
}

// Region returns the data region of a connection's portals: "US", "EU", "CA", or "other" for a host
// that is not iCIMS's.
func Region(c store.Connection, hosts icims.HostPolicy) string {
	if list, err := icims.ParsePortalURLs(c.PortalURLs, hosts); err == nil {
		if region := icims.RegionOf(list[0].Root); region != "" {
			return region
		}
	}
	return "other"
}

type checker struct {
	c        store.Connection
	hosts    icims.HostPolicy
	problems []Problem
}

func (k *checker) addf(setting, code, format string, args ...any) {
	k.problems = append(k.problems, Problem{setting, code, fmt.Sprintf(format, args...)})
}

func (k *checker) result() error {
	if len(k.problems) == 0 {
		return nil
	}
	return &InvalidError{k.problems}
}

func (k *checker) account() {
	if !input.ValidCustomer(k.c.Customer) {
		k.addf("customer", "wrong_customer", "enter the iCIMS customer ID, digits only, such as 1234")
	}
	if !slices.Contains(store.AuthKinds(), k.c.Auth) {
		k.addf("auth", "unknown_auth", "use basic (user name and password), hmac (user and shared key) or oauth (client ID and secret)")
	}
	switch user := k.c.Username; {
	case strings.TrimSpace(user) == "":
		k.addf("username", "missing", "enter the name of the iCIMS API user, or for oauth the client ID")
	case strings.ContainsFunc(user, unicode.IsControl):
		k.addf("username", "control_character", "remove line breaks and other invisible characters")
	case k.c.Auth == store.AuthBasic && strings.Contains(user, ":"):
		k.addf("username", "colon", "a user name cannot contain a colon; enter only the name")
	}
	switch password := string(k.c.Password); {
	case password == "":
		k.addf("password", "missing", "enter the password, or for hmac the shared key, for oauth the client secret")
	case strings.ContainsAny(password, "\r\n\x00"):
		k.addf("password", "several_lines", "it has several lines; enter only the password")
	}
	for _, word := range k.c.Capabilities.List() {
		if word != store.CanExport {
			k.addf("capabilities", "unknown_capability", "the only capability is %q", store.CanExport)
			break
		}
	}
}

func (k *checker) portals() {
	portals, err := icims.ParsePortalURLsOf(k.c.Customer, k.c.PortalURLs, k.hosts)
	if err != nil {
		problem := Problem{"portal_urls", "malformed", err.Error()}
		if refused, ok := errors.AsType[*icims.PortalURLError](err); ok {
			problem.Code = refused.Code
			// A simulator has no certificate.
			if refused.Code == "not_https" {
				problem.Message += "; allow a simulator's origin with ICIMS_EXPORT_ICIMS_HOSTS"
			}
		}
		k.problems = append(k.problems, problem)
	}
	switch {
	case k.c.TokenURL != "" && k.c.Auth != store.AuthOAuth:
		k.addf("token_url", "not_oauth", "only oauth uses tokens; remove it")
	case k.c.TokenURL != "":
		if err := icims.CheckTokenURL(k.c.TokenURL, k.hosts); err != nil {
			k.addf("token_url", "wrong_token_url", "%v", err)
		}
	case k.c.Auth == store.AuthOAuth && err == nil && icims.TokenURLOf(portals[0].Root) == "":
		k.addf("token_url", "missing", "the sign-in host for the portals' host is unknown; enter the URL of the token endpoint")
	}
}

// fieldName matches iCIMS's API field names, which are all lower case.
var fieldName = regexp.MustCompile(`^[a-z][a-z0-9_.]{0,63}$`)

func (k *checker) tenant() {
	for _, text := range []struct{ setting, value string }{
		{"source", k.c.Source}, {"status", k.c.Status.ID + k.c.Status.Value}, {"folder", k.c.Folder.ID + k.c.Folder.Value},
	} {
		const longest = 255
		if strings.ContainsFunc(text.value, unicode.IsControl) || len(text.value) > longest {
			k.addf(text.setting, "not_a_text", "enter one line of at most %d characters", longest)
		}
	}
	w, e := k.c.Fields.WorkExperience, k.c.Fields.Education
	for _, name := range []struct{ setting, value string }{
		{"linkedin_field", k.c.LinkedInField},
		{"fields.work_experience.collection", w.Collection}, {"fields.work_experience.employer", w.Employer},
		{"fields.work_experience.title", w.Title}, {"fields.work_experience.start", w.Start}, {"fields.work_experience.end", w.End},
		{"fields.education.collection", e.Collection}, {"fields.education.school", e.School}, {"fields.education.degree", e.Degree},
	} {
		if name.value != "" && !fieldName.MatchString(name.value) {
			k.addf(name.setting, "not_a_field_name", "enter the field's name in iCIMS's API, in lower case, such as field51001")
		}
	}
	if k.c.MissingFolder != "" && k.c.MissingFolder != store.MissingFolderCandidate {
		k.addf("missing_folder", "not_a_choice", "remove it, or use candidate to update people whose folder iCIMS does not show")
	}
	if k.c.DummyDomain != "" {
		if problem := config.DomainProblem(k.c.DummyDomain); problem != "" {
			k.addf("dummy_email_domain", "not_a_domain", "enter a plain domain name such as seekout.example.com")
		}
	}
}

func (k *checker) limits() {
	l := k.c.Limits
	for _, n := range []struct {
		setting string
		value   float64
		most    float64
	}{
		{"calls_per_second", l.CallsPerSecond, 1e6},
		{"burst", float64(l.Burst), 1e6},
		{"in_flight", float64(l.InFlight), 1e5},
		{"calls_per_day", float64(l.CallsPerDay), 1e9},
		{"express_reserve", float64(l.ExpressReserve), 90}, // percent
	} {
		if math.IsNaN(n.value) || n.value < 0 || n.value > n.most {
			k.addf("limits."+n.setting, "out_of_range", "enter a number above zero, at most %g, or remove it for the default", n.most)
		}
	}
}
