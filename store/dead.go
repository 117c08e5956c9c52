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

// DeadLetter is an export that was given up and waits for a person. It is kept
// until somebody retries or discards it.
type DeadLetter struct {
	Ref
	Batch     BatchID
	Candidate string
	Reason    Reason
	At        time.Time
	Attempts  int
	Person    int64 // known in iCIMS already; 0 = not
	Warnings  string
}

// DeadFilter chooses dead letters; empty fields choose all.
type DeadFilter struct {
	Batch  BatchID
	Reason Reason
	Since  time.Time
	// After is the last letter of an earlier listing, to go on behind it: its time and
	// its export. It need not be there any more.
	After DeadLetter
}

// Chooses reports whether the filter lets a letter through.
func (f DeadFilter) Chooses(d DeadLetter) bool {
	return (f.Batch == "" || d.Batch == f.Batch) && (f.Reason == "" || d.Reason == f.Reason) && d.At.UnixMilli() >= f.Since.UnixMilli() && !f.before(d.At.UnixMilli(), d.Export)
}

// before reports whether a letter belongs to an earlier listing.
func (f DeadFilter) before(at int64, export string) bool {
	if f.After.Export == "" {
		return false
	}
	last := f.After.At.UnixMilli()
	return at < last || at == last && export <= f.After.Export
}

const deadPage = 500

// DeadLetters calls yield for each chosen dead letter of a customer, the oldest
// first, until yield returns false. Letters that die meanwhile may be missed;
// letters that are retried meanwhile are passed over.
func (l *Ledger) DeadLetters(ctx context.Context, customer string, filter DeadFilter, yield func(DeadLetter) bool) error {
	// The listing goes by time of death and last id, not by position: letters that
	// are retried while it runs would shift positions.
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
		if len(fresh) == 0 { // all of them died in one moment, and belong to an earlier listing
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

func (l *Ledger) deadLetters(ctx context.Context, customer string, found []redis.Z) ([]DeadLetter, error) {
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

// CountDead returns how many dead letters a customer has.
func (l *Ledger) CountDead(ctx context.Context, customer string) (int64, error) {
	n, err := l.redis.ZCard(ctx, deadKey(customer)).Result()
	if err != nil {
		return 0, fmt.Errorf("count dead letters: %w", err)
	}
	return n, nil
}

// CountDeadOf returns how many dead letters each of the customers has, in their order.
func (l *Ledger) CountDeadOf(ctx context.Context, customers ...string) ([]int64, error) {
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

// ErrNotDead: the export is not a dead letter, or not any more.
var ErrNotDead = errors.New("the export is not a dead letter")

// Revive sets a dead export going again with a fresh retry budget. The caller runs its
// task. It returns ErrNotDead where the export is not a dead letter any more.
func (l *Ledger) Revive(ctx context.Context, ref Ref, who, why string) error {
	revived, err := l.ReviveAll(ctx, ref.Customer, []string{ref.Export}, who, why)
	if err == nil && len(revived) == 0 {
		err = ErrNotDead
	}
	return err
}

// Discard gives a dead export up for good and purges the candidate's data.
func (l *Ledger) Discard(ctx context.Context, ref Ref, who, why string) error {
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

// Action is something that an operator did to a customer's exports.
type Action struct {
	At    time.Time `json:"at"`
	Who   string    `json:"who"`
	What  string    `json:"what"`
	Why   string    `json:"why,omitempty"`
	Count int       `json:"count"`
}

// keptActions bounds the log of actions of a customer.
const keptActions = 10_000

// Act records an action. It is sealed, since people write reasons freely.
func (l *Ledger) Act(ctx context.Context, customer string, a Action) error {
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

// Actions lists the latest n actions on a customer's exports, the newest first, and
// counts those among them that this keyset cannot open, which are left out.
func (l *Ledger) Actions(ctx context.Context, customer string, n int) (actions []Action, closed int, err error) {
	messages, err := l.redis.XRevRangeN(ctx, actionsKey(customer), "+", "-", int64(n)).Result()
	if err != nil {
		return nil, 0, fmt.Errorf("list actions: %w", err)
	}
	actions = make([]Action, 0, len(messages))
	for _, m := range messages {
		sealed, _ := m.Values["a"].(string)
		data, err := l.keys.Open([]byte(sealed), actionsKey(customer))
		if errors.Is(err, ErrSealed) {
			closed++ // with a key that was lost: the rest is worth showing
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
