package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// AuditLogEntry is one entry of the audit log. Each change has two entries with the same request:
// one before it, so that no change goes unlogged, and one with its outcome.
type AuditLogEntry struct {
	At      time.Time       `json:"at" doc:"Time of the entry."`
	Request string          `json:"request" doc:"The change's ID, shared by both of its entries."`
	Outcome AuditLogOutcome `json:"outcome" enum:"asked,done,refused,failed,sealed" doc:"asked (before the change), done, refused (nothing was changed), failed (possibly changed in part) or sealed (this keyset does not open the entry)."`
	// Who is the name of the API key, or the user at the command line.
	Who string `json:"who" doc:"The API key's name, or the CLI user."`
	// Key is the ID of the API key; empty for the command line.
	Key string `json:"key,omitempty" doc:"The API key's ID; omitted for the CLI."`
	// What is the ID of the API operation, or the command.
	What     string `json:"what" doc:"The API operation's ID, or the CLI command."`
	Customer string `json:"customer,omitempty" doc:"The customer."`
	// Object is what was changed: a batch, an export, a candidate.
	Object string `json:"object,omitempty" doc:"The changed object: a batch, an export or a candidate."`
	Why    string `json:"why,omitempty" doc:"The given reason."`
	// Code of the refusal or failure.
	Code string `json:"code,omitempty" doc:"The error code of a refusal or failure."`
}

// AuditLogOutcome is the outcome of a change.
type AuditLogOutcome string

// The outcomes. A change with only "asked" was interrupted and may have been made.
const (
	JournalAsked   AuditLogOutcome = "asked"
	JournalDone    AuditLogOutcome = "done"
	JournalRefused AuditLogOutcome = "refused" // nothing was changed
	JournalFailed  AuditLogOutcome = "failed"  // possibly changed in part
	// JournalSealed is an entry that this keyset cannot open.
	JournalSealed AuditLogOutcome = "sealed"
)

const journalDay = "20060102"

func journalKey(day time.Time) string { return journalPrefix + day.UTC().Format(journalDay) }

// Append adds an entry to the audit log. Entries cannot be changed or removed. They expire by day,
// after the configured age.
func (l *AuditLog) Append(ctx context.Context, e AuditLogEntry) error {
	if e.At.IsZero() {
		e.At = time.Now()
	}
	e.At = e.At.UTC().Truncate(time.Millisecond)
	if err := l.appendJournal(ctx, e); err != nil {
		return fmt.Errorf("write audit log: %w", err)
	}
	return nil
}

func dayOf(at time.Time) time.Time { return at.UTC().Truncate(24 * time.Hour) }

// AuditLogFilter selects entries of the audit log.
type AuditLogFilter struct {
	// Customers selects the entries of these customers; nil selects all, including those without a
	// customer.
	Customers []string
	// Who and What select exact matches, if set.
	Who, What string
	// Since leaves out older entries.
	Since time.Time
	// Limit is the maximum page size; 0 means 100.
	Limit int
	// Cursor of the previous page's Next.
	Cursor string
}

func (f AuditLogFilter) chooses(e AuditLogEntry) bool {
	return (f.Customers == nil || slices.Contains(f.Customers, e.Customer)) &&
		(f.Who == "" || f.Who == e.Who) && (f.What == "" || f.What == e.What) && !e.At.Before(f.Since)
}

// AuditLogPage is a page of the audit log, newest entry first.
type AuditLogPage struct {
	Entries []AuditLogEntry `json:"entries"`
	// Next is the cursor of the next page; empty at the end. Each page reads a limited number of
	// entries, so it may be short or even empty and still have a Next.
	Next string `json:"next,omitempty" doc:"The cursor of the next page; omitted on the last page."`
	// Problems are the findings of CheckJournal.
	Problems []string `json:"problems,omitempty" doc:"On the first page, for keys of all customers: entries that were removed, changed or moved in Redis, one sentence per day."`
}

const (
	journalPage      = 500    // entries read in one round trip
	journalLook      = 10_000 // entries read per page at most
	journalDays      = 32     // days whose length is read in one round trip
	journalPageLimit = 100
)

// ErrAuditLogCursor means the cursor was not returned by a page of the audit log.
var ErrAuditLogCursor = errors.New("not a cursor of the audit log")

// Page reads a page of the audit log, newest entry first.
func (l *AuditLog) Page(ctx context.Context, f AuditLogFilter) (AuditLogPage, error) {
	now := time.Now()
	f.Limit = or(f.Limit, journalPageLimit)
	page := AuditLogPage{Entries: []AuditLogEntry{}}
	day, below, err := journalPlace(f.Cursor, now)
	if err != nil {
		return page, err
	}
	oldest := dayOf(now.Add(-l.journalAge))
	if f.Since.After(oldest) {
		oldest = dayOf(f.Since)
	}
	looked := 0
	for !day.Before(oldest) {
		lengths, err := l.journalLengths(ctx, day, oldest)
		if err != nil {
			return page, err
		}
		for i, length := range lengths {
			if i > 0 || below < 0 {
				below = length
			}
			for below = min(below, length); below > 0; {
				from := max(0, below-journalPage)
				entries, err := l.journalPart(ctx, day, from, below-1)
				if err != nil {
					return page, err
				}
				for at, e := range slices.Backward(entries) {
					if f.chooses(e) {
						page.Entries = append(page.Entries, e)
					}
					looked++
					if len(page.Entries) >= f.Limit || looked >= journalLook {
						page.Next = day.Format(journalDay) + "-" + strconv.FormatInt(from+int64(at), 10)
						return page, nil
					}
				}
				below = from
			}
			day = day.AddDate(0, 0, -1)
		}
		below = -1
	}
	return page, nil
}

// journalPlace returns where to start reading: at the entries of day with an index below `below`,
// or all of them if that is -1.
func journalPlace(cursor string, now time.Time) (day time.Time, below int64, err error) {
	if cursor == "" {
		// Another machine's clock may be slightly ahead.
		return dayOf(now).AddDate(0, 0, 1), -1, nil
	}
	text, at, _ := strings.Cut(cursor, "-")
	day, dayErr := time.ParseInLocation(journalDay, text, time.UTC)
	below, err = strconv.ParseInt(at, 10, 64)
	if dayErr != nil || err != nil || below < 0 || day.After(now.AddDate(0, 0, 2)) {
		return day, 0, ErrAuditLogCursor
	}
	return day, below, nil
}

// journalLengths returns the number of entries of consecutive days, from day backwards.
func (l *base) journalLengths(ctx context.Context, day, oldest time.Time) ([]int64, error) {
	var asked []*redis.IntCmd
	_, err := l.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for ; !day.Before(oldest) && len(asked) < journalDays; day = day.AddDate(0, 0, -1) {
			asked = append(asked, p.LLen(ctx, journalKey(day)))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read audit log: %w", err)
	}
	lengths := make([]int64, len(asked))
	for i, a := range asked {
		lengths[i] = a.Val()
	}
	return lengths, nil
}

func (l *base) journalPart(ctx context.Context, day time.Time, from, to int64) ([]AuditLogEntry, error) {
	key := journalKey(day)
	sealed, err := l.redis.LRange(ctx, key, from, to).Result()
	if err != nil {
		return nil, fmt.Errorf("read audit log: %w", err)
	}
	entries := make([]AuditLogEntry, len(sealed))
	for i, item := range sealed {
		data, err := l.keys.Open([]byte(item), key)
		if err == nil {
			err = json.Unmarshal(data, &entries[i])
		}
		if err != nil {
			// With a lost key: show at least that there was an entry.
			entries[i] = AuditLogEntry{At: day, Outcome: JournalSealed}
		}
	}
	return entries, nil
}
