package main

import (
	"fmt"

	"github.com/seekout/icims-export/store"
)

type keysCommand struct {
	New keysNewCommand `cmd:"" help:"Print a fresh keyset: keys that seal personal data in Redis."`
}

type keysNewCommand struct{}

// Run prints the keyset on stdout.
func (keysNewCommand) Run(p *process) error {
	keys, err := store.NewKeyset()
	if err != nil {
		return err
	}
	data, err := keys.Export()
	if err != nil {
		return err
	}
	if _, onTerminal := terminal(p.stdout); onTerminal {
		p.sayf("These are secrets. Write them to a file that only the service can read, and name it with ICIMS_EXPORT_KEYSET:\n" +
			"  (umask 077; icims-export keys new > keyset.json)")
	}
	_, err = fmt.Fprintf(p.stdout, "%s\n", data)
	return err
}
