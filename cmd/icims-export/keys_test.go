package main

import (
	"strings"
	"testing"

	"github.com/seekout/icims-export/store"
)

func TestKeysNew(t *testing.T) {
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

func TestVersion(t *testing.T) {
	r := call(t, "version")
	r.wantStatus(t, statusDone)
	if !strings.HasPrefix(r.out, "icims-export ") || strings.Count(r.out, "\n") != 1 {
		t.Errorf("got %q", r.out)
	}
}
