package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/redis/go-redis/v9"
)

// ReadBack holds the figures of a customer's last read-back.
type ReadBack struct {
	At time.Time `json:"at"`
	// Fields are those that the sample sent. One that only an earlier sample did has the
	// figure Earlier alone.
	Fields map[string]ReadBackFigure `json:"fields"`
}

// ReadBackFigure is what became of a field that exports sent.
type ReadBackFigure struct {
	Sent    int `json:"sent"`
	Arrived int `json:"arrived"`
	Changed int `json:"changed"`
	Missing int `json:"missing"`
	// Share is the part that arrived, from 0 to 1.
	Share float64 `json:"share"`
	// Earlier is the share of the last read-back before in which the field arrived;
	// nil where there was none.
	Earlier *float64 `json:"earlier,omitempty"`
}

// When a field counts as lost: it used to arrive, and does no longer.
const (
	readBackUsual = 0.9
	readBackLost  = 0.5
)

// ReadBackLeast is how many exports have to have sent a field until its share tells anything.
const ReadBackLeast = 5

// Low reports whether less than half of a field arrived, of enough exports to tell.
func (f ReadBackFigure) Low() bool { return f.Sent >= ReadBackLeast && f.Share < readBackLost }

// Lost reports whether the field used to arrive and does no longer.
func (f ReadBackFigure) Lost() bool {
	return f.Low() && f.Earlier != nil && *f.Earlier >= readBackUsual
}

// readBackKept is for how long the figures of a read-back are kept.
const readBackKept = 90 * 24 * time.Hour

// usual is what the share of a field was when it last arrived. A share that is low, or of
// too few exports, is no measure: then the one before it stays.
func (f ReadBackFigure) usual() *float64 {
	if f.Sent < ReadBackLeast || f.Low() {
		return f.Earlier
	}
	return &f.Share
}

// KeepReadBack keeps the figures of a customer's read-back, and what the share of each
// field was before.
func (l *Ledger) KeepReadBack(ctx context.Context, customer string, r ReadBack) error {
	last, err := l.ReadBacks(ctx, customer)
	if err != nil {
		return err
	}
	fields := maps.Clone(r.Fields)
	for name, before := range last[customer].Fields {
		if f := fields[name]; before.usual() != nil {
			f.Earlier = before.usual()
			fields[name] = f // also of a field that this sample did not send
		}
	}
	r.Fields = fields
	data, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode a read-back: %w", err)
	}
	err = l.essential(ctx, "SET", readBackKey(customer), data, "PX", readBackKept.Milliseconds())
	return wrapped("keep a read-back", err)
}

// ReadBacks reads the figures of customers' last read-backs. Those without one are
// missing from the result.
func (l *Ledger) ReadBacks(ctx context.Context, customers ...string) (map[string]ReadBack, error) {
	if len(customers) == 0 {
		return nil, nil
	}
	read := make([]*redis.StringCmd, len(customers))
	_, err := l.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, customer := range customers {
			read[i] = p.Get(ctx, readBackKey(customer))
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("read read-backs: %w", err)
	}
	found := map[string]ReadBack{}
	for i, cmd := range read {
		var r ReadBack
		// What is not readable is somebody else's: it says nothing.
		if cmd.Val() != "" && json.Unmarshal([]byte(cmd.Val()), &r) == nil {
			found[customers[i]] = r
		}
	}
	return found, nil
}
