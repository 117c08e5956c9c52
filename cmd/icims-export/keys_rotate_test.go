package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seekout/icims-export/store"
)

func (w *ward) keys() *store.Keyset {
	w.t.Helper()
	keys, err := store.ReadKeysetFile(w.keyset)
	if err != nil {
		w.t.Fatal(err)
	}
	return keys
}

func TestKeysAreRotatedResealedAndDropped(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	w.accept("1234", 1709, 0, 40)
	old := w.keys().Primary()
	backup := w.file(t, "backup.json", string(readFile(t, w.keyset)))

	r := w.call("keys", "rotate")
	r.wantStatus(t, statusDone)
	id := w.keys().Primary()
	if id == old || !strings.Contains(r.out, idText(id)+" to "+w.keyset+" for new values") {
		t.Fatalf("rotated: %s", r.out)
	}
	w.call("keys", "drop", idText(old)).wantStatus(t, statusUsage)
	w.call("keys", "drop", "17").wantStatus(t, statusUsage)

	r = w.call("keys", "status", "--json")
	r.wantStatus(t, statusDone)
	type listed struct{ Keys []keyLine }
	if got := decode[listed](t, r.out).Keys; len(got) != 2 || got[0] != (keyLine{old, "opens", 44}) || got[1] != (keyLine{id, "seals", 0}) {
		t.Errorf("%+v", got)
	}
	r = w.call("keys", "reseal", "--settle=0s")
	r.wantStatus(t, statusDone)
	r.wantAll(t, "43 values resealed with key "+idText(id), "keys drop removes "+idText(old))
	r = w.call("keys", "status")
	r.wantAll(t, "opens              0", "seals             46") // the exports and the audit log
	if got, want := w.keyChanges(), "keys reseal done "+idText(id)+",keys reseal asked "+idText(id)+",keys rotate done "+idText(id)+",keys rotate asked "+idText(id); got != want {
		t.Errorf("the journal has %q, want %q", got, want)
	}

	w.call("keys", "drop", idText(id)).wantStatus(t, statusUsage)
	w.call("keys", "drop", idText(old)).wantStatus(t, statusDone)
	if got := w.keys().KeyIDs(); len(got) != 1 || got[0] != id {
		t.Errorf("the keyset has %v", got)
	}
	if info, err := os.Stat(w.keyset); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file is %v, %v", info.Mode(), err)
	}
	if left, err := filepath.Glob(filepath.Join(w.folder, ".keyset-*")); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}

	// The old backup is refused at startup.
	w.keyset = backup
	for _, args := range [][]string{{"worker"}, {"export", w.file(t, "c.ndjson", candidates), "--customer=1234", "--job=1709"}, {"dead", "retry", "--all", "--why=x"}, {"keys", "rotate"}, {"keys", "status"}} {
		r := w.call(args...)
		r.wantStatus(t, statusUsage)
		if !strings.Contains(r.errors, "lacks the sealing key "+idText(id)) || !strings.Contains(r.errors, "copy the newest keyset here") {
			t.Errorf("%v: %s", args, r.errors)
		}
	}
}

// keyChanges returns the key changes in the audit log, latest first.
func (w *ward) keyChanges() string {
	w.t.Helper()
	page, err := store.NewLedger(w.redis, w.keys()).AuditLog.Page(w.t.Context(), store.AuditLogFilter{})
	if err != nil {
		w.t.Fatal(err)
	}
	var told []string
	for _, e := range page.Entries {
		if strings.HasPrefix(e.What, "keys ") {
			told = append(told, strings.TrimSpace(e.What+" "+string(e.Outcome)+" "+e.Object))
		}
	}
	return strings.Join(told, ",")
}

func TestKeyOnStandby(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	old := w.keys().Primary()
	w.call("keys", "rotate", "--standby").wantStatus(t, statusDone)
	if w.keys().Primary() != old || len(w.keys().KeyIDs()) != 2 {
		t.Fatalf("on standby: %d of %v", w.keys().Primary(), w.keys().KeyIDs())
	}
	id := w.keys().KeyIDs()[1]
	w.call("keys", "promote", idText(id)).wantStatus(t, statusDone)
	if w.keys().Primary() != id {
		t.Errorf("promoted: %d, want %d", w.keys().Primary(), id)
	}
	if got := w.keyChanges(); !strings.HasPrefix(got, "keys promote done "+idText(id)+",keys promote asked "+idText(id)) {
		t.Errorf("the journal has %q", got)
	}
}

func TestForeignKeysetIsRefusedUntilAdopted(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	w.accept("1234", 1709, 0, 3)
	w.call("keys", "rotate").wantStatus(t, statusDone) // records the keyset
	w.keyset = w.file(t, "other.json", call(t, "keys", "new").out)
	r := w.call("worker")
	r.wantStatus(t, statusUsage)
	if !strings.Contains(r.errors, "is another keyset") || !strings.Contains(r.errors, "keys adopt") {
		t.Errorf("%s", r.errors)
	}
	w.call("keys", "adopt").wantStatus(t, statusUsage)
	r = w.call("keys", "adopt", "--why=the disk burned")
	r.wantStatus(t, statusDone)
	r.wantAll(t, "7 values in Redis cannot be opened") // the exports and the audit log entries of the rotation
	w.call("keys", "rotate").wantStatus(t, statusDone)
	actions, _, err := store.NewLedger(w.redis, w.keys()).AuditLog.Actions(t.Context(), "1234", 1)
	if err != nil || len(actions) != 1 || actions[0].Why != "the disk burned" {
		t.Errorf("recorded: %+v, %v", actions, err)
	}
}

func TestRotateWithoutRedis(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	r := call(t, "keys", "rotate", "--keyset="+b.keyset, "--redis-url=redis://127.0.0.1:1")
	r.wantStatus(t, statusDone)
	if !strings.Contains(r.errors, "was not compared") {
		t.Errorf("%s", r.errors)
	}
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
