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
	// Fields are the fields sent in the sample. A field sent only in an earlier sample has only
	// Earlier.
	Fields map[string]ReadBackFigure `json:"fields"`
}

// ReadBackFigure is the result for one field that exports sent.
type ReadBackFigure struct {
	Sent    int `json:"sent"`
	Arrived int `json:"arrived"`
	Changed int `json:"changed"`
	Missing int `json:"missing"`
	// Share is the fraction that arrived, from 0 to 1.
	Share float64 `json:"share"`
	// Earlier is the share of the last previous read-back in which the field arrived; nil if none.
	Earlier *float64 `json:"earlier,omitempty"`
}

// A field counts as lost if its share was high and has become low.
const (
	readBackUsual = 0.9
	readBackLost  = 0.5
)

// ReadBackLeast is how many exports must have sent a field for its share to be meaningful.
const ReadBackLeast = 5

// Low reports whether less than half of a field's values arrived, out of enough exports.
func (f ReadBackFigure) Low() bool { return f.Sent >= ReadBackLeast && f.Share < readBackLost }

// Lost reports whether the field arrived earlier but not in this read-back.
func (f ReadBackFigure) Lost() bool {
	return f.Low() && f.Earlier != nil && *f.Earlier >= readBackUsual
}

// readBackKept is how long the figures of a read-back are kept.
const readBackKept = 90 * 24 * time.Hour

// lastGoodShare returns the share of a field when it last arrived. A low share, or one from too few
// exports, does not replace the previous value.
func (f ReadBackFigure) lastGoodShare() *float64 {
	if f.Sent < ReadBackLeast || f.Low() {
		return f.Earlier
	}
	return &f.Share
}

// SaveReadBack stores the figures of a customer's read-back, with each field's previous share.
func (l *Candidates) SaveReadBack(ctx context.Context, customer string, r ReadBack) error {
	last, err := l.Candidates.ReadBacks(ctx, customer)
	if err != nil {
		return err
	}
	fields := maps.Clone(r.Fields)
	for name, before := range last[customer].Fields {
		if f := fields[name]; before.lastGoodShare() != nil {
			f.Earlier = before.lastGoodShare()
			fields[name] = f // also fields not in this sample
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

// ReadBacks reads the figures of customers' last read-backs. The result leaves out customers
// without one.
func (l *Candidates) ReadBacks(ctx context.Context, customers ...string) (map[string]ReadBack, error) {
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
		// This service did not write an unreadable value: ignore it.
		if cmd.Val() != "" && json.Unmarshal([]byte(cmd.Val()), &r) == nil {
			found[customers[i]] = r
		}
	}
	return found, nil
}
