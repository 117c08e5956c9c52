package worker

import (
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/seekout/icims-export/icims"
)

// emailCase records whether the tenant's exact email search is case-sensitive (API sheet §7
// leaves that open). It is learned with a person created a while ago, searched in another case.
type emailCase struct {
	known   bool
	ignored bool
	probe   caseProbe
	settle  time.Duration // after which searches surely show a new person
	now     func() time.Time
}

type caseProbe struct {
	email string
	id    icims.PersonID
	at    time.Time
}

// noteCreated records a new person as a possible probe.
func (t *tenant) noteCreated(email string, id icims.PersonID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := &t.emailCase
	if !c.known && c.probe.id == 0 && swapCase(email) != email {
		c.probe = caseProbe{email, id, c.now()}
	}
}

// caseProbe returns a person to search in another case along with other addresses.
func (t *tenant) caseProbe(emails []string) (caseProbe, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := &t.emailCase
	if c.known || c.probe.id == 0 || c.now().Sub(c.probe.at) < c.settle {
		return caseProbe{}, false
	}
	same := func(e string) bool { return strings.EqualFold(e, c.probe.email) }
	return c.probe, !slices.ContainsFunc(emails, same)
}

func (t *tenant) learnCase(ignored bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.emailCase.known, t.emailCase.ignored = true, ignored
}

func (t *tenant) ignoresCase() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.emailCase.ignored
}

// swapCase swaps upper and lower case.
func swapCase(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsUpper(r) {
			return unicode.ToLower(r)
		}
		return unicode.ToUpper(r)
	}, s)
}
