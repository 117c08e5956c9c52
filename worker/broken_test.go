package worker_test

import (
	"strings"
	"testing"

	"github.com/seekout/icims-export/store"
)

// A customer's keys of a wrong type do not affect other customers' exports.
func TestBrokenKeysAffectOneCustomer(t *testing.T) {
	t.Parallel()
	// Malformed numbers and missing fields affect that customer alone, and are not always noticed
	// immediately.
	for _, field := range []string{"c live", "limits w", "limits tat", "b accepted", "b t", "x st", "x b", "x le", "batches"} {
		t.Run(field, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t, 2, nil)
			ours := f.sendTo("1001", 1)
			theirs := f.sendTo("1002", 30)
			key, name, _ := strings.Cut(field, " ")
			switch key {
			case "b":
				key += ":" + strings.TrimPrefix(string(ours), "1001-")
			case "x":
				all, err := f.ledger.Batches.Outcomes(t.Context(), ours, 0, 1)
				if err != nil || len(all) != 1 {
					t.Fatal(all, err)
				}
				key += ":" + all[0].Export
			}
			switch name {
			case "":
				f.redis.Del(t.Context(), "ix:{1001}:"+key)
				f.redis.Set(t.Context(), "ix:{1001}:"+key, "broken", 0)
			case "st", "b", "t":
				f.redis.HDel(t.Context(), "ix:{1001}:"+key, name)
			default:
				f.redis.HSet(t.Context(), "ix:{1001}:"+key, name, "some")
			}
			f.join(nil)
			f.expect("the other customer's batch ends", func() bool {
				b, err := f.ledger.Batches.Get(t.Context(), theirs)
				return err == nil && b.Created == 30
			})
		})
	}
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
				b, err = f.ledger.Batches.Get(t.Context(), theirs)
				return err == nil && b.Created == 30
			})
			f.expect("the log names the broken customer", func() bool {
				return m.told("1001", "the customer's keys in Redis are broken, so its exports wait", "") > 0
			})
		})
	}
}
