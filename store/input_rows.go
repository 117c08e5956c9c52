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

// InputRows tells which row of the input an export of a batch came in. Rows that were
// refused have no export, so places and rows drift apart; the batch keeps where they do,
// which costs nothing where no row was refused.
type InputRows struct{ shifts []rowShift }

// rowShift: from a place on rows are so far ahead of their places.
type rowShift struct {
	place, by int
	known     bool
}

// InputRows reads them for a batch; of an unknown one rows and places are the same.
func (l *Ledger) InputRows(ctx context.Context, batch BatchID) (InputRows, error) {
	text, err := l.redis.HGet(ctx, batchKey(batch), "sh").Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return InputRows{}, fmt.Errorf("read batch: %w", err)
	}
	return readInputRows(text), nil
}

// readInputRows reads "place:shift,place:shift", as accept.lua writes it.
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

// At is the row of the export at a place, both from 1; 0 where it is not known.
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
