package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// Audit log entries are numbered, so that a removed entry leaves a gap. Each sealed entry contains
// its number within the day. A sealed head counts the day's entries, and a sealed list names the
// days. Entries of earlier versions have no number.

var (
	auditLogScript     = loadEssentialFleetScript("audit_log")
	auditLogDaysScript = loadEssentialFleetScript("audit_log_days")
)

// journalTries is how often appending an entry is retried while other processes append theirs.
const journalTries = 100

// numberedEntry is the sealed form of an entry.
type numberedEntry struct {
	AuditLogEntry

	Number int `json:"number,omitempty"` // from 1; 0 in earlier versions
}

// journalHead is the number of numbered entries of a day.
type journalHead struct {
	Count int `json:"count"`
	// Restarted means that a previous head was removed or changed.
	Restarted bool `json:"restarted,omitempty"`
	// Before is the latest day in the list of days when this day began. It reveals that the list
	// was removed together with that day.
	Before string `json:"before,omitempty"`
}

// journalDaysList lists the days with numbered entries.
type journalDaysList struct {
	// Ends holds when each day expires (s since 1970).
	Ends map[string]int64 `json:"ends"`
	// Started is the first day. An earlier day with numbers reveals that a previous list was
	// removed.
	Started string `json:"started"`
}

func (d journalDaysList) startedAfter(day string) bool { return d.Started == "" || d.Started > day }

// journalHeadKey has the same slot as the day's entries on Redis Cluster.
func journalHeadKey(day string) string { return keyRoot + "{" + journalPrefix + day + "}:head" }

// appendJournal appends an entry with the next number of its day.
func (l *base) appendJournal(ctx context.Context, e AuditLogEntry) error {
	day := e.At.Format(journalDay)
	key, headKey := journalKey(e.At), journalHeadKey(day)
	ends := dayOf(e.At).AddDate(0, 0, 1).Add(l.journalAge)
	head, err := l.redis.Get(ctx, headKey).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return err
	}
	for range journalTries {
		next := l.openHead(head, headKey)
		if next.Count == 0 {
			// The entry must be written even if the head is invalid, so start a new head.
			_, days, err := l.journalDayList(ctx)
			if err != nil {
				return err
			}
			next.Restarted = days.Ends[day] > 0
			for other := range days.Ends {
				if other != day {
					next.Before = max(next.Before, other)
				}
			}
		}
		next.Count++
		entry, err := l.sealJSON(numberedEntry{e, next.Count}, key)
		if err != nil {
			return err
		}
		sealed, err := l.sealJSON(next, headKey)
		if err != nil {
			return err
		}
		answer, err := auditLogScript.of(l).Run(ctx, l.redis, []string{key, headKey}, head, sealed, entry, ends.Unix()).Slice()
		if err != nil {
			return err
		}
		if len(answer) == 1 {
			return l.registerDay(ctx, day, ends)
		}
		head = text(answer[1])
	}
	return errors.New("too many concurrent writers")
}

// registerDay adds a day to the list of days, after its first entry. If the process is killed in
// between, the next entry does it.
func (l *base) registerDay(ctx context.Context, day string, ends time.Time) error {
	now := time.Now()
	if ends.Before(now) {
		return nil
	}
	for range journalTries {
		read, days, err := l.journalDayList(ctx)
		if err != nil {
			return err
		}
		if days.Ends[day] == ends.Unix() {
			return nil
		}
		next := journalDaysList{Ends: map[string]int64{day: ends.Unix()}, Started: days.Started}
		if next.Started == "" {
			next.Started = day
		}
		for other, at := range days.Ends {
			if other != day && at > now.Unix() {
				next.Ends[other] = at
			}
		}
		sealed, err := l.sealJSON(next, journalDaysKey)
		if err != nil {
			return err
		}
		done, err := auditLogDaysScript.of(l).Run(ctx, l.redis, []string{journalDaysKey}, read, sealed).Int()
		if err != nil || done == 1 {
			return err
		}
	}
	return errors.New("too many concurrent writers")
}

func (l *base) journalDayList(ctx context.Context) (read string, days journalDaysList, err error) {
	read, err = l.redis.Get(ctx, journalDaysKey).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return "", journalDaysList{}, err
	}
	data, err := l.keys.Open([]byte(read), journalDaysKey)
	if err == nil {
		err = json.Unmarshal(data, &days)
	}
	if err != nil {
		return read, journalDaysList{}, nil //nolint:nilerr // the next entry starts a new list
	}
	return read, days, nil
}

func (l *base) openHead(sealed, key string) journalHead {
	var head journalHead
	if data, err := l.keys.Open([]byte(sealed), key); err == nil {
		_ = json.Unmarshal(data, &head)
	}
	return head
}

// Check reports entries that were removed, replaced or moved in Redis, one sentence per
// finding, oldest day first. It reads the whole audit log. Without a keyset it checks nothing.
func (l *AuditLog) Check(ctx context.Context) ([]string, error) {
	if l.keys == nil {
		return nil, nil
	}
	_, days, err := l.journalDayList(ctx)
	if err != nil {
		return nil, fmt.Errorf("read audit log: %w", err)
	}
	now := time.Now()
	var found []string
	listLost, last := false, dayOf(now).AddDate(0, 0, 1)
	for day := dayOf(now.Add(-l.journalAge)).AddDate(0, 0, -1); !day.After(last); day = day.AddDate(0, 0, 1) {
		name := day.Format(journalDay)
		expected := days.Ends[name] > now.Unix()
		exists, err := l.redis.Exists(ctx, journalKey(day)).Result()
		if err != nil {
			return nil, fmt.Errorf("read audit log: %w", err)
		}
		if exists == 0 && !expected {
			// If only the entries were removed, the head of the day remains.
			if exists, err = l.redis.Exists(ctx, journalHeadKey(name)).Result(); err != nil {
				return nil, fmt.Errorf("read audit log: %w", err)
			} else if exists == 0 {
				continue
			}
		}
		d, err := l.checkDay(ctx, day)
		if err != nil {
			return nil, err
		}
		listLost = listLost || d.numbers > 0 && days.startedAfter(name) || d.before != "" && days.startedAfter(d.before)
		if problems := d.problems(expected); len(problems) > 0 {
			found = append(found, "Audit log of "+day.Format("2 Jan 2006")+": "+strings.Join(problems, "; ")+". Find out who can write to Redis.")
		}
	}
	if listLost {
		found = append(found, "The list of the audit log's days was removed or changed in Redis, so whole days may be missing. Find out who can write to Redis.")
	}
	return found, nil
}

// journalDayCheck is the result of checking one day.
type journalDayCheck struct {
	count     int // from the head
	headRead  bool
	restarted bool
	before    string
	numbers   int // how many of the numbers 1 to count are present
	twice     int
	outside   int // numbers above count
	moved     bool
	forged    int
}

func (l *base) checkDay(ctx context.Context, day time.Time) (journalDayCheck, error) {
	var d journalDayCheck
	key, headKey := journalKey(day), journalHeadKey(day.Format(journalDay))
	// Entries appended after the head was read are not counted.
	var head *redis.StringCmd
	var length *redis.IntCmd
	_, err := l.redis.TxPipelined(ctx, func(p redis.Pipeliner) error {
		head, length = p.Get(ctx, headKey), p.LLen(ctx, key)
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return d, fmt.Errorf("read audit log: %w", err)
	}
	opened := l.openHead(head.Val(), headKey)
	d.count, d.headRead, d.restarted, d.before = opened.Count, opened.Count > 0, opened.Restarted, opened.Before
	seen, before := map[int]bool{}, 0
	for from := int64(0); from < length.Val(); from += journalPage {
		items, err := l.redis.LRange(ctx, key, from, min(from+journalPage, length.Val())-1).Result()
		if err != nil {
			return d, fmt.Errorf("read audit log: %w", err)
		}
		for _, item := range items {
			var e numberedEntry
			data, err := l.keys.Open([]byte(item), key)
			if err == nil {
				err = json.Unmarshal(data, &e)
			}
			switch {
			case errors.Is(err, ErrForged):
				d.forged++
				continue
			case err != nil || e.Number == 0:
				continue
			case seen[e.Number]:
				d.twice++
			case e.Number > d.count:
				d.outside++
			default:
				d.numbers++
			}
			seen[e.Number] = true
			d.moved = d.moved || e.Number < before
			before = e.Number
		}
	}
	return d, nil
}

// problems describes what is wrong with the day.
func (d journalDayCheck) problems(expected bool) []string {
	var p []string
	switch {
	case !d.headRead && d.numbers+d.outside > 0:
		p = append(p, "the count of its entries was removed, so the last ones may be missing")
	case !d.headRead && expected:
		p = append(p, "all entries are missing")
	case !d.headRead:
	default:
		if d.restarted {
			p = append(p, "the count of its entries was removed and restarted, so earlier ones may be missing")
		}
		if missing := d.count - d.numbers; missing > 0 {
			p = append(p, entries(missing)+" missing, or this keyset does not open them")
		}
		if d.outside > 0 {
			p = append(p, "the count of its entries was replaced by an older one")
		}
	}
	if d.twice > 0 {
		p = append(p, fmt.Sprintf("duplicate numbers: %d", d.twice))
	} else if d.moved {
		p = append(p, "entries were reordered")
	}
	if d.forged > 0 {
		p = append(p, entries(d.forged)+" changed or copied from elsewhere")
	}
	return p
}

func entries(n int) string {
	if n == 1 {
		return "1 entry is"
	}
	return fmt.Sprintf("%d entries are", n)
}
