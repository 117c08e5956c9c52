package input

import (
	"regexp"
	"strconv"
	"strings"
)

const (
	maxEmail      = 254
	maxEmailLocal = 64
)

var (
	emailLocal = regexp.MustCompile("^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*$")
	emailHost  = regexp.MustCompile(`^([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+([A-Za-z]{2,63}|[Xx][Nn]--[A-Za-z0-9-]{1,58}[A-Za-z0-9])$`)
)

// emailProblem checks a non-empty, trimmed address. It accepts what mail providers allow, not
// everything RFC 5322 does.
func emailProblem(addr string) (Problem, bool) {
	p := Problem{Field: "email"}
	refuse := func(code, message, remedy string) (Problem, bool) {
		p.Code, p.Message, p.Remedy = code, message, remedy
		return p, true
	}
	for i := range len(addr) {
		if addr[i] >= 0x80 {
			return refuse(codeEmailAccents, "has an accented letter or another non-ASCII character, which iCIMS refuses",
				"correct the address, or omit it and generate dummy addresses")
		}
	}
	switch ats := strings.Count(addr, "@"); {
	case strings.ContainsAny(addr, "<>\""):
		return refuse(codeEmailMalformed, "is not a plain address", "use only the address, without a display name, quotes or angle brackets")
	case ats > 0 && strings.ContainsAny(addr, ",;"), ats > 1 && strings.ContainsAny(addr, " /|"):
		return refuse(codeEmailSeveral, "contains several addresses or a stray separator", "use one address per candidate")
	case ats > 1:
		return refuse(codeEmailMalformed, "has more than one @", "correct the address")
	case ats == 0:
		return refuse(codeEmailMalformed, "has no @", "correct the address, or omit it and generate dummy addresses")
	}
	local, host, _ := strings.Cut(addr, "@")
	switch {
	case len(addr) > maxEmail || len(local) > maxEmailLocal:
		return refuse(codeEmailMalformed, "is longer than an address can be (64 characters before the @, 254 in all)", "correct the address")
	case !emailLocal.MatchString(local):
		return refuse(codeEmailMalformed, "has an invalid part before the @", "correct the address: no spaces, no dots at either end or in a row")
	case !emailHost.MatchString(host):
		return refuse(codeEmailMalformed, "has an invalid domain after the @", "correct the domain: letters, digits and hyphens with at least one dot, such as example.com")
	}
	return Problem{}, false
}

const dummyPrefix = "no-email-"

// DummyEmail returns a dummy address for a candidate without one. The number may be negative:
// DummyEmail(-352233856, "seekout.example.com") is "no-email--352233856@seekout.example.com".
func DummyEmail(number int32, domain string) string {
	return dummyPrefix + strconv.FormatInt(int64(number), 10) + "@" + domain
}

// IsDummyEmail reports whether DummyEmail made addr for domain. It ignores case, since other
// systems may change it.
func IsDummyEmail(addr, domain string) bool {
	local, host, found := strings.Cut(addr, "@")
	if !found || !strings.EqualFold(host, domain) {
		return false
	}
	if len(local) < len(dummyPrefix) || !strings.EqualFold(local[:len(dummyPrefix)], dummyPrefix) {
		return false
	}
	digits := local[len(dummyPrefix):]
	n, err := strconv.ParseInt(digits, 10, 32)
	return err == nil && strconv.FormatInt(n, 10) == digits
}
