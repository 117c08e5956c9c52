package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"github.com/seekout/icims-export/config"
	"github.com/seekout/icims-export/store"
)

type keysCommand struct {
	New     keysNewCommand     `cmd:"" help:"Create a keyset, which seals personal data in Redis."`
	Status  keysStatusCommand  `cmd:"" help:"Show the sealing keys and how many values each seals."`
	Rotate  keysRotateCommand  `cmd:"" help:"Add a sealing key to the keyset and use it for new values."`
	Promote keysPromoteCommand `cmd:"" help:"Use a standby key for new values."`
	Reseal  keysResealCommand  `cmd:"" help:"Reseal all values in Redis with the current key, while exports run."`
	Drop    keysDropCommand    `cmd:"" help:"Remove an unused key from the keyset."`
	Adopt   keysAdoptCommand   `cmd:"" help:"After losing keys: accept this keyset and give up values that only the lost keys open."`
}

type keysNewCommand struct {
	To string `placeholder:"FILE" help:"Write the keyset to this file, readable by this user only. An existing file is kept."`
}

// Run prints the keyset, or writes it to a file.
func (c *keysNewCommand) Run(p *process) error {
	keys, err := store.NewKeyset()
	if err != nil {
		return err
	}
	if c.To != "" {
		return c.write(p, keys)
	}
	data, err := keys.Export()
	if err != nil {
		return err
	}
	if _, onTerminal := terminal(p.stdout); onTerminal {
		p.sayf("These keys are secret. Write them to a file that only the service can read, and set ICIMS_EXPORT_KEYSET to it:\n" +
			"  icims-export keys new --to keyset.json")
	}
	_, err = fmt.Fprintf(p.stdout, "%s\n", data)
	return err
}

// write creates the file. An existing file is kept, which is no error, so that each start of the
// service can run the command.
func (c *keysNewCommand) write(p *process, keys *store.Keyset) error {
	switch err := store.CreateKeysetFile(c.To, keys); {
	case errors.Is(err, fs.ErrExist):
		if _, err := readKeyset(config.Settings{Keyset: c.To}, p.warn); err != nil {
			return err
		}
		p.sayf("%s already is a keyset and was kept.", c.To)
		return nil
	case err != nil:
		return failed("%s cannot be created (%s): choose a folder that this user can write to", c.To, rootCause(err))
	}
	p.sayf("Created %s. Keep a copy away from Redis: without it sealed data is lost.", c.To)
	return nil
}

// checkKeyset refuses a keyset other than the one the store was written with, and says what to do.
func checkKeyset(ctx context.Context, ledger *store.Ledger, s config.Settings) error {
	err := ledger.Checks.CheckKeyset(ctx)
	wrong, ok := errors.AsType[*store.KeysetError](err)
	switch {
	case err == nil:
		return nil
	case !ok:
		return redisFailed(s, err)
	case wrong.OtherHashing:
		return usageError("%s is another keyset than the one that the Redis at %s was filled with: set ICIMS_EXPORT_KEYSET to that keyset, or restore it from a backup; "+
			"if it is lost, icims-export keys adopt accepts this one", s.Keyset, s.RedisURL)
	default:
		return usageError("%s lacks the sealing key %s, which seals data in the Redis at %s: copy the newest keyset here, or restore it from a backup; "+
			"if the key is lost, icims-export keys adopt gives up the values that it seals", s.Keyset, idsText(wrong.Missing), s.RedisURL)
	}
}

func idText(id store.KeyID) string { return strconv.FormatUint(uint64(id), 10) }

func idsText(ids []store.KeyID) string {
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = idText(id)
	}
	return strings.Join(texts, ", ")
}

// parseKeyID parses the ID of a key in the keyset.
func parseKeyID(text string, keys *store.Keyset) (store.KeyID, error) {
	id, err := strconv.ParseUint(text, 10, 32)
	for _, known := range keys.KeyIDs() {
		if err == nil && known == store.KeyID(id) {
			return known, nil
		}
	}
	return 0, usageError("the keyset has no key %q; its keys are %s", text, idsText(keys.KeyIDs()))
}

// writeKeyset replaces the file with a changed keyset.
func writeKeyset(p *process, keys *store.Keyset) error {
	if err := store.WriteKeysetFile(p.settings.Keyset, keys); err != nil {
		return failed("the keyset %s cannot be written (%s), so nothing changed: run the command on the machine with the file, as a user who can write to its folder", p.settings.Keyset, rootCause(err))
	}
	return nil
}
