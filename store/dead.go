package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// DeadLetter is an export that failed permanently. It is kept until an operator retries or discards
// it.
type DeadLetter struct {
	Ref
	Batch     BatchID
	Candidate string
	Reason    Reason
	At        time.Time
	Attempts  int
	Person    int64 // if already known in iCIMS; 0 = no
	Warnings  string
}

// DeadFilter selects dead letters; empty fields select all.
type DeadFilter struct {
	Batch  BatchID
	Reason Reason
	Since  time.Time
	// After is the last letter of the previous page: its time and its export. It need not exist any
	// more.
	After DeadLetter
}

// Chooses reports whether the filter selects a letter.
func (f DeadFilter) Chooses(d DeadLetter) bool {
	return (f.Batch == "" || d.Batch == f.Batch) && (f.Reason == "" || d.Reason == f.Reason) && d.At.UnixMilli() >= f.Since.UnixMilli() && !f.before(d.At.UnixMilli(), d.Export)
}

// before reports whether a letter belongs to a previous page.
func (f DeadFilter) before(at int64, export string) bool {
	if f.After.Export == "" {
		return false
	}
	last := f.After.At.UnixMilli()
	return at < last || at == last && export <= f.After.Export
}

const deadPage = 500

// Each calls yield for each selected dead letter of a customer, oldest first, until yield
// returns false. It may miss letters that die during the call, and skips those that are retried.
func (l *DeadLetters) Each(ctx context.Context, customer string, filter DeadFilter, yield func(DeadLetter) bool) error {
	// Page by time of death and last ID, not by position: retries during the listing shift
	// positions.
	from, seen := "-inf", map[string]bool{}
	if !filter.Since.IsZero() {
		from = strconv.FormatInt(filter.Since.UnixMilli(), 10)
	}
	if filter.After.Export != "" && filter.After.At.After(filter.Since) {
		from = strconv.FormatInt(filter.After.At.UnixMilli(), 10)
	}
	for {
		count := deadPage + len(seen)
		found, err := l.redis.ZRangeByScoreWithScores(ctx, deadKey(customer), &redis.ZRangeBy{Min: from, Max: "+inf", Count: int64(count)}).Result()
		if err != nil {
			return fmt.Errorf("list dead letters: %w", err)
		}
		fresh := make([]redis.Z, 0, len(found))
		for _, z := range found {
			if !seen[member(z)] && !filter.before(int64(z.Score), member(z)) {
				fresh = append(fresh, z)
			}
		}
		if len(fresh) == 0 && len(found) < count {
			return nil
		}
		if len(fresh) == 0 { // all died at the same time and belong to a previous page
			for _, z := range found {
				seen[member(z)] = true
			}
			continue
		}
		letters, err := l.deadLetters(ctx, customer, fresh)
		if err != nil {
			return err
		}
		for _, d := range letters {
			if filter.Chooses(d) && !yield(d) {
				return nil
			}
		}
		last := fresh[len(fresh)-1].Score
		from = strconv.FormatInt(int64(last), 10)
		clear(seen)
		for _, z := range found {
			if z.Score == last {
				seen[member(z)] = true
			}
		}
	}
}

func member(z redis.Z) string {
	s, _ := z.Member.(string)
	return s
}

func (l *base) deadLetters(ctx context.Context, customer string, found []redis.Z) ([]DeadLetter, error) {
	records := make([]*redis.SliceCmd, len(found))
	_, err := l.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, z := range found {
			records[i] = p.HMGet(ctx, recordKey(customer, member(z)), "st", "b", "c", "rs", "at", "pe", "wa")
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("read dead letters: %w", err)
	}
	var letters []DeadLetter
	for i, z := range found {
		r := records[i].Val()
		if len(r) < 7 || State(text(r[0])) != Dead {
			continue
		}
		letters = append(letters, DeadLetter{
			Ref: Ref{customer, member(z)}, Batch: BatchID(customer + "-" + text(r[1])), Candidate: text(r[2]),
			Reason: Reason(text(r[3])), At: time.UnixMilli(int64(z.Score)), Attempts: int(number(text(r[4]))),
			Person: number(text(r[5])), Warnings: text(r[6]),
		})
	}
	return letters, nil
}

// Count returns how many dead letters a customer has.
func (l *DeadLetters) Count(ctx context.Context, customer string) (int64, error) {
	n, err := l.redis.ZCard(ctx, deadKey(customer)).Result()
	if err != nil {
		return 0, fmt.Errorf("count dead letters: %w", err)
	}
	return n, nil
}

// CountOf returns the number of dead letters of each customer, in the order given.
func (l *DeadLetters) CountOf(ctx context.Context, customers ...string) ([]int64, error) {
	if len(customers) == 0 {
		return nil, nil
	}
	counts := make([]*redis.IntCmd, len(customers))
	_, err := l.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, customer := range customers {
			counts[i] = p.ZCard(ctx, deadKey(customer))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("count dead letters: %w", err)
	}
	found := make([]int64, len(customers))
	for i, n := range counts {
		found[i] = n.Val()
	}
	return found, nil
}

// ErrNotDead means the export is not a dead letter.
var ErrNotDead = errors.New("the export is not a dead letter")

// Revive retries a dead export with a fresh retry budget. The caller runs its task. It returns
// ErrNotDead if the export is not a dead letter.
func (l *DeadLetters) Revive(ctx context.Context, ref Ref, who, why string) error {
	revived, err := l.DeadLetters.ReviveAll(ctx, ref.Customer, []string{ref.Export}, who, why)
	if err == nil && len(revived) == 0 {
		err = ErrNotDead
	}
	return err
}

// Discard ends a dead export permanently and purges the candidate's data.
func (l *DeadLetters) Discard(ctx context.Context, ref Ref, who, why string) error {
	entry, err := l.sealEntry(ref, &Entry{At: time.Now(), What: "discarded", Who: who, Why: why})
	if err != nil {
		return err
	}
	answer, err := l.run(ctx, discardScript, recordKey(ref.Customer, ref.Export),
		prefix(ref.Customer), ref.Export, int64(l.retention/time.Second), entry)
	if err != nil {
		return err
	}
	if text(answer[0]) != "ok" {
		return ErrNotDead
	}
	return nil
}

// Action is an operator's action on a customer's exports.
type Action struct {
	At    time.Time `json:"at"`
	Who   string    `json:"who"`
	What  string    `json:"what"`
	Why   string    `json:"why,omitempty"`
	Count int       `json:"count"`
}

// keptActions bounds a customer's action log.
const keptActions = 10_000

// Act records an action. It is sealed because reasons are free text.
func (l *AuditLog) Act(ctx context.Context, customer string, a Action) error {
	data, err := json.Marshal(a)
	if err != nil {
		return fmt.Errorf("encode action: %w", err)
	}
	sealed, err := l.keys.Seal(data, actionsKey(customer))
	if err != nil {
		return err
	}
	err = l.essential(ctx, "XADD", actionsKey(customer), "MAXLEN", "~", keptActions, "*", "a", sealed)
	if err != nil {
		return fmt.Errorf("record action: %w", err)
	}
	return nil
}

// Actions lists the latest n actions on a customer's exports, newest first. closed counts those
// among them that this keyset cannot open; they are left out.
func (l *AuditLog) Actions(ctx context.Context, customer string, n int) (actions []Action, closed int, err error) {
	messages, err := l.redis.XRevRangeN(ctx, actionsKey(customer), "+", "-", int64(n)).Result()
	if err != nil {
		return nil, 0, fmt.Errorf("list actions: %w", err)
	}
	actions = make([]Action, 0, len(messages))
	for _, m := range messages {
		sealed, _ := m.Values["a"].(string)
		data, err := l.keys.Open([]byte(sealed), actionsKey(customer))
		if errors.Is(err, ErrSealed) {
			closed++ // with a lost key: the rest is still useful
			continue
		}
		var a Action
		if err == nil {
			err = json.Unmarshal(data, &a)
		}
		if err != nil {
			return nil, 0, errors.New("action is not readable")
		}
		actions = append(actions, a)
	}
	return actions, closed, nil
}
