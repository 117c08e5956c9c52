package jobs

import (
	"time"

	"github.com/seekout/icims-export/store"
)

// Settings configures the job lists.
type Settings struct {
	// MaxAge is when a list becomes stale.
	MaxAge time.Duration
	// Share is the percentage of a customer's daily calls for list and titles.
	Share int
}

// DefaultSettings returns the defaults.
func DefaultSettings() Settings { return Settings{MaxAge: 10 * time.Minute, Share: 10} }

// Budget returns how many calls per day list and titles may take, out of calls.
func (s Settings) Budget(calls int) int { return calls * s.Share / 100 }

const (
	day = 24 * time.Hour
	// sparing is the maximum age of a list on a day whose share is used up.
	sparing = time.Hour
	// afterFailure is when a failed refresh is retried.
	afterFailure = time.Minute
)

// maxAge returns the maximum age of a list: spread evenly over a day, refreshes alone use at most
// the share.
func (s Settings) maxAge(l store.JobList, budget int, now time.Time) time.Duration {
	age := s.MaxAge
	if budget > 0 {
		age = max(age, day*time.Duration(l.ListCalls)/time.Duration(budget))
	}
	if l.SpentOn(now) >= budget {
		age = max(age, sparing)
	}
	return age
}
