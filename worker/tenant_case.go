package worker

import (
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/seekout/icims-export/icims"
)

// emailCase is whether the tenant's exact search by e-mail heeds upper and lower
// case (API sheet §7 leaves it open), and how that is found out: by a person made
// a while ago, asked for in another spelling.
type emailCase struct {
	known   bool
	ignored bool
	probe   caseProbe
	settle  time.Duration // after which a new person surely turns up in searches
	now     func() time.Time
}

type caseProbe struct {
	email string
	id    icims.PersonID
	at    time.Time
}

// made notes a person who was just created and may serve as a probe later.
func (t *tenant) noteCreated(email string, id icims.PersonID) {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := &t.emailCase
	if !c.known && c.probe.id == 0 && swapCase(email) != email {
		c.probe = caseProbe{email, id, c.now()}
	}
}

// caseProbe returns a person to ask for in another spelling along with a search
// for other addresses.
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

// swapCase turns small letters into capitals and back.
func swapCase(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsUpper(r) {
			return unicode.ToLower(r)
		}
		return unicode.ToUpper(r)
	}, s)
}
