package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seekout/icims-export/store"
)

func TestKeysNew(t *testing.T) {
	t.Parallel()
	r := call(t, "keys", "new")
	r.wantStatus(t, statusDone)
	keys, err := store.ParseKeyset([]byte(r.out))
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := keys.Seal([]byte("x"), "here")
	if err != nil {
		t.Fatal(err)
	}
	if again := call(t, "keys", "new"); again.out == r.out {
		t.Error("the same keys were made twice")
	} else if other, err := store.ParseKeyset([]byte(again.out)); err != nil {
		t.Error(err)
	} else if _, err := other.Open(sealed, "here"); err == nil {
		t.Error("another keyset opens what this one sealed")
	}
}

func TestKeysNewToAFile(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	path := filepath.Join(folder, "keyset.json")
	r := call(t, "keys", "new", "--to="+path)
	r.wantStatus(t, statusDone)
	made, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := store.ParseKeyset(made); err != nil || r.out != "" {
		t.Errorf("%v, and %q on stdout", err, r.out)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("its mode is %v, %v", info.Mode(), err)
	}
	t.Run("an existing keyset is kept", func(t *testing.T) {
		r := call(t, "keys", "new", "--to="+path)
		r.wantStatus(t, statusDone)
		if now, err := os.ReadFile(path); err != nil || string(now) != string(made) || !strings.Contains(r.errors, "was kept") {
			t.Errorf("%v, it is another one: %v; it says %s", err, string(now) != string(made), r.errors)
		}
	})
	t.Run("so does what is none, and is refused", func(t *testing.T) {
		other := filepath.Join(folder, "notes.txt")
		if err := os.WriteFile(other, []byte("notes"), 0o600); err != nil {
			t.Fatal(err)
		}
		r := call(t, "keys", "new", "--to="+other)
		r.wantStatus(t, statusUsage)
		if text, err := os.ReadFile(other); err != nil || string(text) != "notes" || !strings.Contains(r.errors, "not a keyset") {
			t.Errorf("%v %q; it says %s", err, text, r.errors)
		}
	})
	t.Run("a missing folder is reported", func(t *testing.T) {
		r := call(t, "keys", "new", "--to="+filepath.Join(folder, "none", "keyset.json"))
		r.wantStatus(t, statusFailed)
		if !strings.Contains(r.errors, "(no such file or directory)") {
			t.Errorf("it says %s", r.errors)
		}
	})
	if left, err := os.ReadDir(folder); err != nil || len(left) != 2 {
		t.Errorf("%v, %d files are left", err, len(left))
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	r := call(t, "version")
	r.wantStatus(t, statusDone)
	if !strings.HasPrefix(r.out, "icims-export ") || strings.Count(r.out, "\n") != 1 {
		t.Errorf("got %q", r.out)
	}
}

// Each command that reads a keyset warns if other users can read the file.
func TestExposedKeysetWarning(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	const warning = "can be read by every user of this machine: chmod 600 it"
	for _, args := range [][]string{{"apikeys", "list"}, {"keys", "status"}, {"lanes"}, {"serve", "--api-tls-cert=/nowhere.pem", "--api-tls-key=/nowhere.pem"}} {
		for mode, warned := range map[os.FileMode]bool{0o644: true, 0o640: false, 0o600: false} {
			if err := os.Chmod(w.keyset, mode); err != nil {
				t.Fatal(err)
			}
			r := w.call(args...)
			if got := strings.Contains(r.errors, "keyset "+w.keyset+" "+warning); got != warned {
				t.Errorf("%v with mode %o: warned is %v: %s", args, mode, got, r.errors)
			}
		}
	}
	if err := os.Chmod(w.keyset, 0o644); err != nil {
		t.Fatal(err)
	}
	if r := call(t, "worker", "--redis-url="+w.url, "--keyset="+w.keyset, "--connections=/nowhere.yml"); r.status == statusDone || !strings.Contains(r.errors, warning) {
		t.Errorf("worker: status %d: %s", r.status, r.errors)
	}
}
