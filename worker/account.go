package worker

import (
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/seekout/icims-export/icims"
)

// account is how a customer stands with iCIMS, as far as this process knows: the
// day's budget and any refusal of the account as a whole. It outlives the
// customer's lanes, which open and close.
type account struct {
	now func() time.Time

	mu       sync.Mutex
	day      int64 // days since 1970, UTC
	spent    int
	closed   *icims.RefusedError // why no calls are made, and until when
	verdicts int                 // refusals of the account in a row
	good     time.Time           // of the last call that succeeded
}

func newAccount(now func() time.Time) *account { return &account{now: now} }

// refusal returns why no call may be made now, or nil.
func (a *account) refusal(perDay int) *icims.RefusedError {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now()
	a.newDay(now)
	if a.closed != nil {
		if now.Before(a.closed.Until) {
			return a.closed
		}
		a.closed = nil
	}
	if a.spent >= perDay {
		return &icims.RefusedError{Reason: icims.ReasonQuotaExhausted, Until: midnight(now)}
	}
	return nil
}

func (a *account) newDay(now time.Time) {
	if day := now.Unix() / 86400; day != a.day {
		a.day, a.spent = day, 0
	}
}

func midnight(now time.Time) time.Time {
	return time.Unix((now.Unix()/86400+1)*86400, 0)
}

func (a *account) spend() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.spent++
}

// An account that is refused is tried again after a pause that doubles with each
// refusal: somebody may have mended it, but a wrong password offered too often
// gets an account locked.
const (
	verdictPause    = time.Minute
	verdictPauseMax = time.Hour
	// workingLately is how long after a call that succeeded a 403 counts as being
	// about one right rather than about the account or this service's address.
	workingLately = time.Minute
)

// observe learns from an answer: the budget as iCIMS counts it, and verdicts.
func (a *account) observe(status int, h http.Header) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now()
	a.newDay(now)
	remaining, err := strconv.Atoi(h.Get("X-Ratelimit-Remaining"))
	switch {
	case err == nil && remaining == 0:
		until := midnight(now)
		if reset, err := strconv.Atoi(h.Get("X-Ratelimit-Reset")); err == nil && reset > 0 && reset <= 86400 {
			until = now.Add(time.Duration(reset) * time.Second)
		}
		a.close(icims.ReasonQuotaExhausted, until)
	case status < 300:
		a.good, a.verdicts = now, 0
	case status == http.StatusUnauthorized:
		a.refused(now, icims.ReasonCredentials)
	case status == http.StatusForbidden && !a.works(now):
		a.refused(now, icims.ReasonAccessDenied)
	case status == http.StatusTooManyRequests:
		if seconds, err := strconv.Atoi(h.Get("Retry-After")); err == nil && seconds > 0 && seconds <= 86400 {
			a.close(icims.ReasonRateLimited, now.Add(time.Duration(seconds)*time.Second))
			return
		}
		a.refused(now, icims.ReasonRateLimited)
	}
}

func (a *account) refused(now time.Time, reason icims.Reason) {
	// Calls that were in flight together are one refusal.
	if a.closed != nil && a.closed.Reason == reason && now.Before(a.closed.Until) {
		return
	}
	a.close(reason, now.Add(min(verdictPause<<min(a.verdicts, 10), verdictPauseMax)))
	a.verdicts++
}

// close keeps the longer of two closures: a refusal in flight does not open what
// a spent budget has closed.
func (a *account) close(reason icims.Reason, until time.Time) {
	if a.closed == nil || until.After(a.closed.Until) {
		a.closed = &icims.RefusedError{Reason: reason, Until: until}
	}
}

func (a *account) works(now time.Time) bool { return now.Sub(a.good) < workingLately }

// worksLately reports whether calls succeed, so that a 403 is about one right.
func (a *account) worksLately() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.works(a.now())
}

// mended forgets refusals of credentials or address: the connection was changed.
func (a *account) mended() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.verdicts = 0
	if a.closed != nil && a.closed.Reason != icims.ReasonQuotaExhausted {
		a.closed = nil
	}
}
