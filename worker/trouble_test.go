package worker

import (
	"testing"
	"time"
)

func TestTroubleIsToldOnceItHasLastedForLong(t *testing.T) {
	t.Parallel()
	start := time.Unix(1_800_000_000, 0)
	at := start.Add
	var tr trouble
	if tr.isLong(at(time.Hour)) {
		t.Error("told while the breaker is closed")
	}
	tr.changed(false, at(0))
	tr.changed(false, at(4*time.Minute)) // half open, and open again
	if tr.isLong(at(longTrouble - time.Second)) {
		t.Error("told before its time")
	}
	if !tr.isLong(at(longTrouble)) || tr.isLong(at(longTrouble+time.Hour)) {
		t.Error("not told once")
	}
	tr.changed(true, at(2*time.Hour))
	tr.changed(false, at(3*time.Hour))
	if tr.isLong(at(3*time.Hour + time.Minute)) {
		t.Error("a new trouble counts from its own beginning")
	}
	if !tr.isLong(at(4 * time.Hour)) {
		t.Error("a new trouble is not told")
	}
}
