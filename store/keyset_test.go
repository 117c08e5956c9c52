package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/seekout/icims-export/store"
)

func newKeys(t *testing.T) *store.Keyset {
	t.Helper()
	keys, err := store.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func TestSealing(t *testing.T) {
	t.Parallel()
	keys := newKeys(t)
	sealed, err := keys.Seal([]byte("Ana Duarte"), "ix:{1234}:p:a")
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(sealed, []byte("Duarte")) {
		t.Error("sealed data is readable")
	}
	if got, err := keys.Open(sealed, "ix:{1234}:p:a"); err != nil || string(got) != "Ana Duarte" {
		t.Errorf("opened %q, %v", got, err)
	}
	for name, open := range map[string]func() ([]byte, error){
		"in another place": func() ([]byte, error) { return keys.Open(sealed, "ix:{1234}:p:b") },
		"by other keys":    func() ([]byte, error) { return newKeys(t).Open(sealed, "ix:{1234}:p:a") },
		"when damaged":     func() ([]byte, error) { return keys.Open(sealed[:len(sealed)-1], "ix:{1234}:p:a") },
		"when empty":       func() ([]byte, error) { return keys.Open(nil, "ix:{1234}:p:a") },
	} {
		if _, err := open(); !errors.Is(err, store.ErrSealed) {
			t.Errorf("%s it opens: %v", name, err)
		}
	}
}

func TestKeysetFile(t *testing.T) {
	t.Parallel()
	keys := newKeys(t)
	data, err := keys.Export()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "keyset.json")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	again, err := store.ReadKeysetFile(path)
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := keys.Seal([]byte("x"), "p")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := again.Open(sealed, "p"); err != nil || keys.EmailHash("1", "a@b.c") != again.EmailHash("1", "a@b.c") {
		t.Errorf("a keyset read from its file differs: %v", err)
	}
	for name, broken := range map[string]string{
		"nothing":           "",
		"no JSON":           "AKIA",
		"another file":      `{"keys":[]}`,
		"half of it":        string(data[:len(data)/2]),
		"a damaged sealing": strings.Replace(string(data), `"value": "`, `"value": "AAAA`, 1),
	} {
		_, err := store.ParseKeyset([]byte(broken))
		if err == nil {
			t.Errorf("%s is taken for a keyset", name)
			continue
		}
		if strings.Contains(err.Error(), "AKIA") || strings.Contains(err.Error(), "value") {
			t.Errorf("%s: the error shows key material: %v", name, err)
		}
	}
}

func TestHashes(t *testing.T) {
	t.Parallel()
	keys := newKeys(t)
	hash := keys.EmailHash("1234", "Ana@Example.com")
	if hash != keys.EmailHash("1234", "ana@example.com") {
		t.Error("addresses that differ in case alone are one person")
	}
	for name, other := range map[string]string{
		"another customer": keys.EmailHash("1235", "ana@example.com"),
		"another address":  keys.EmailHash("1234", "anna@example.com"),
		"another key":      newKeys(t).EmailHash("1234", "ana@example.com"),
	} {
		if other == hash {
			t.Errorf("%s has the same hash", name)
		}
	}
	if a, b := keys.BatchID("12", "3k"), keys.BatchID("123", "k"); a[3:] == b[4:] {
		t.Error("parts of a hash run into each other")
	}
}

func TestBatchIDs(t *testing.T) {
	t.Parallel()
	id := newKeys(t).BatchID("1234", "key")
	got, err := store.ParseBatchID(id)
	if err != nil || got.Customer() != "1234" {
		t.Errorf("%s: %s, %v", id, got.Customer(), err)
	}
	for _, bad := range []string{"", "1234", "1234-", "1234-short", "acme-" + id[5:], id + "x", id[:len(id)-1] + "!", strings.ToUpper(id)} {
		if _, err := store.ParseBatchID(bad); err == nil {
			t.Errorf("%q is taken for a batch id", bad)
		}
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	t.Parallel()
	c := store.Connection{Customer: "1234", Password: "hunter2"}
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		if text := fmt.Sprintf(format, c); strings.Contains(text, "hunter2") {
			t.Errorf("%s prints the password: %s", format, text)
		}
	}
}
