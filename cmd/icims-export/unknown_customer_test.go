package main

import (
	"strings"
	"testing"
)

// A mistyped customer ID is not reported as a customer without work.
func TestCommandsRefuseAnUnknownCustomer(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	w.accept("1234", 1709, 1, 1)
	for _, args := range []string{
		"lanes 99", "lanes 99 --json", "audit --customer=99", "cancel --customer=99 --dry-run", "cancel --customer=99 --why=x",
		"dead list --customer=99", "dead list --customer=99 --dry-run", "dead list --batch=99-abcdefgh234567ij", "dead show 99 c-1", "dead show 99:abcdefgh234567ij",
		"dead retry --customer=99 --why=x", "dead retry 99:abcdefgh234567ij --why=x", "dead discard --customer=99 --dry-run", "dead transfer --customer=99 --to-job=7 --why=x",
		"show 99 c-1", "journal --customer=99", "journal --customer=99 --json", "erase 99 c-1 --why=x",
	} {
		r := w.call(strings.Fields(args)...)
		if r.status != statusFailed || !strings.Contains(r.errors, "unknown customer 99") || r.out != "" {
			t.Errorf("%s: %d, %q, %q", args, r.status, r.out, r.errors)
		}
	}
	for _, args := range []string{"lanes 1234", "audit --customer=1234", "cancel --customer=1234 --dry-run", "dead list --customer=1234", "show 1234 c-00001", "journal --customer=1234"} {
		w.call(strings.Fields(args)...).wantStatus(t, statusDone)
	}
	// The customer is unknown until its first pause.
	w.call("pause", "99", "--why=it begins tomorrow").wantStatus(t, statusDone)
	w.call("lanes", "99").wantStatus(t, statusDone)
}
