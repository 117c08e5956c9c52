package jobs

import (
	"time"

	"github.com/seekout/icims-export/store"
)

// Settings of the lists.
type Settings struct {
	// MaxAge is how old a list may get before it counts as stale.
	MaxAge time.Duration
	// Share is the part of a customer's calls a day, in percent, that list and titles
	// may take.
	Share int
}

// DefaultSettings returns the settings of a deployment that sets none.
func DefaultSettings() Settings { return Settings{MaxAge: 10 * time.Minute, Share: 10} }

// Budget is how many calls a day list and titles may take, of a customer who has
// calls a day.
func (s Settings) Budget(calls int) int { return calls * s.Share / 100 }

const (
	day = 24 * time.Hour
	// sparing is how old a list may get on a day whose share is spent.
	sparing = time.Hour
	// afterFailure is when a refresh that failed is tried again.
	afterFailure = time.Minute
)

// maxAge is how old a list may get: at an even pace over a day, refreshes alone take
// no more than the share.
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
