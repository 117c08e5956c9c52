package worker_test

import (
	"flag"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
	"github.com/seekout/icims-export/tasks"
)

var rotated = flag.Int("rotated", 1000, "how many exports run while the sealing key is exchanged; 5,000 is what is promised")

// Producer, worker and operator are processes of their own, which share the file of
// the keyset alone.
func TestSealingKeyIsExchangedWhileExportsRun(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{sim: calm(), stopped: true})
	path := filepath.Join(t.TempDir(), "keyset.json")
	old, err := store.NewKeyset()
	if err == nil {
		err = store.WriteKeysetFile(path, old)
	}
	if err != nil {
		t.Fatal(err)
	}
	process := func() *store.Ledger {
		keys, err := store.ReadKeysetFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return store.NewLedger(r.redis, keys)
	}
	r.producer = tasks.NewClient(r.redis, process())
	r.ledger = process()
	r.worker = r.newWorker(nil)
	first := r.send(tasks.ToJob(job), tasks.Options{}, people(*rotated/2)...)
	r.start()
	r.eventually("a part is done", func() bool {
		b, err := r.ledger.Batch(t.Context(), first)
		return err == nil && b.Created > *rotated/10
	})

	next, id, err := old.WithNewKey(false)
	if err == nil {
		err = store.WriteKeysetFile(path, next)
	}
	if err != nil {
		t.Fatal(err)
	}
	reseal := func() store.Resealing {
		t.Helper()
		found, err := process().Reseal(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	replaced := reseal().Replaced
	// The producer has not looked at the file since, and may seal with the old key.
	others := people(*rotated)[*rotated/2:]
	second := r.send(tasks.ToJob(job), tasks.Options{}, others...)
	replaced += reseal().Replaced
	if replaced == 0 {
		t.Error("nothing was sealed anew while the exports ran")
	}
	for _, batch := range []store.BatchID{first, second} {
		if b := r.finished(batch); b.Created != *rotated/2 || b.Dead != 0 {
			t.Errorf("%+v", b)
		}
	}
	if strings.Contains(r.logs.String(), string(store.ReasonPayloadSealed)) {
		t.Error("data could not be opened on the way")
	}
	reseal()
	if last := reseal(); last.Old(id) != 0 {
		t.Errorf("still sealed with the old key: %+v", last)
	}
	for _, entry := range redistest.Dump(t, r.redis) {
		if slices.ContainsFunc(entry.Values, func(value string) bool {
			by, ok := store.SealedBy([]byte(value))
			return ok && by == old.Primary()
		}) {
			t.Errorf("the old key opens something at %s", entry.Key)
		}
	}
	r.clean()
}
