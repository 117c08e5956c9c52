package worker_test

import (
	"testing"

	"github.com/seekout/icims-export/store"
)

// Keys of one customer that hold something else keep nobody else's exports.
func TestBrokenKeysStopNobodyElse(t *testing.T) {
	t.Parallel()
	for _, key := range []string{"c", "due", "limits"} {
		t.Run(key, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t, 2, nil)
			f.sendTo("1001", 1)
			theirs := f.sendTo("1002", 30)
			broken := "ix:{1001}:" + key
			f.redis.Del(t.Context(), broken)
			f.redis.Set(t.Context(), broken, "broken", 0)
			m := f.join(nil)
			var b store.Batch
			f.expect("the other customer's batch ends", func() bool {
				var err error
				b, err = f.ledger.Batch(t.Context(), theirs)
				return err == nil && b.Created == 30
			})
			f.expect("the log names the broken one", func() bool {
				return m.told("1001", "the customer's keys in Redis are broken, so its work stands still", "") > 0
			})
		})
	}
}
