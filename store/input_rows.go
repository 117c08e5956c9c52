package store

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strconv"
	"strings"

	"github.com/redis/go-redis/v9"
)

// InputRows maps exports of a batch to their rows of the input. Refused rows have no export, so
// positions and rows diverge. The batch stores only where the difference changes, which takes no
// space if no row was refused.
type InputRows struct{ shifts []rowShift }

// rowShift means that from a position on, rows are ahead of positions by a fixed number.
type rowShift struct {
	place, by int
	known     bool
}

// InputRows reads the rows of a batch. For an unknown batch, rows and positions are equal.
func (l *Batches) InputRows(ctx context.Context, batch BatchID) (InputRows, error) {
	text, err := l.redis.HGet(ctx, batchKey(batch), "sh").Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return InputRows{}, fmt.Errorf("read batch: %w", err)
	}
	return readInputRows(text), nil
}

// readInputRows parses "place:shift,place:shift", as written by accept.lua.
func readInputRows(text string) InputRows {
	var r InputRows
	if text == "" {
		return r
	}
	for part := range strings.SplitSeq(text, ",") {
		place, by, _ := strings.Cut(part, ":")
		n, err := strconv.Atoi(by)
		r.shifts = append(r.shifts, rowShift{int(number(place)), n, err == nil})
	}
	return r
}

// At returns the row of the export at a position, both 1-based; 0 if unknown.
func (r InputRows) At(place int) int {
	n := sort.Search(len(r.shifts), func(i int) bool { return r.shifts[i].place > place })
	switch {
	case n == 0:
		return place
	case !r.shifts[n-1].known:
		return 0
	}
	return place + r.shifts[n-1].by
}
