package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/seekout/icims-export/internal/prose"
	"github.com/seekout/icims-export/store"
)

type keysRotateCommand struct {
	Standby bool `help:"Only open with the key until keys promote. For several machines with copies of the file."`
}

// Run adds a key.
func (c *keysRotateCommand) Run(ctx context.Context, p *process) error {
	keys, err := readKeyset(p.settings, p.warn)
	if err != nil {
		return err
	}
	next, id, err := keys.WithNewKey(c.Standby)
	if err != nil {
		return err
	}
	// Only the keyset in use gets a new key.
	if err := changeKeyset(ctx, p, keys, next, store.AuditLogEntry{What: "keys rotate", Object: idText(id)}); err != nil {
		return err
	}
	width, _ := terminal(p.stdout)
	if c.Standby {
		fmt.Fprintf(p.stdout, "Added key %s to %s on standby: it opens values but does not seal yet.\n", idText(id), p.settings.Keyset)
		hang(p.stdout, width, "", "Copy the file to every machine with its own copy, then: icims-export keys promote "+idText(id)+".")
		return nil
	}
	fmt.Fprintf(p.stdout, "Added key %s to %s for new values; %s opens existing ones.\n", idText(id), p.settings.Keyset, idText(keys.Primary()))
	return keyAdded(ctx, p, next)
}

// keyAdded records a new sealing key in the store, and prints the next steps.
func keyAdded(ctx context.Context, p *process, keys *store.Keyset) error {
	width, _ := terminal(p.stdout)
	hang(p.stdout, width, "", "Back up the file. Processes that read it load the key within seconds; copy the file to other machines. Then: icims-export keys reseal.")
	return registerKeyset(ctx, p, keys)
}

// changeKeyset replaces the keyset file and records that in the audit log. The keyset must be the
// store's. Without a usable Redis it prints a warning and changes the file.
func changeKeyset(ctx context.Context, p *process, keys, next *store.Keyset, entry store.AuditLogEntry) error {
	write := func() error { return writeKeyset(p, next) }
	asked, err := withStore(ctx, p, keys, "compared with it, and the change not recorded in the audit log", func(o *operator) error {
		return o.logged(ctx, &entry, write)
	})
	if err != nil || asked {
		return err
	}
	return write()
}

// registerKeyset refuses a keyset other than the store's, and records its keys.
func registerKeyset(ctx context.Context, p *process, keys *store.Keyset) error {
	_, err := withStore(ctx, p, keys, "recorded there", func(*operator) error { return nil })
	return err
}

// withStore calls do if the keyset is the store's; asked is false if no Redis responds, so that the
// keyset could not be checked.
func withStore(ctx context.Context, p *process, keys *store.Keyset, without string, do func(*operator) error) (asked bool, err error) {
	if p.settings.RedisURL.Embedded() {
		return false, nil
	}
	client, closeRedis, err := openRedis(ctx, p.settings, p.warn)
	if e, ok := errors.AsType[*exit](err); ok && e.status == statusFailed && ctx.Err() == nil {
		p.sayf("The keyset was not %s. %s", without, prose.Sentence(e.Error()))
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer closeRedis()
	ledger := newLedger(client, keys, p.settings)
	if err := checkRights(ctx, ledger, p.settings); err != nil {
		return true, err
	}
	if err := checkKeyset(ctx, ledger, p.settings); err != nil {
		return true, err
	}
	return true, do(&operator{p.service(client, ledger, false), p})
}

type keysPromoteCommand struct {
	Key string `arg:"" help:"Key id, as keys status shows it."`
}

// Run makes another key the sealing key.
func (c *keysPromoteCommand) Run(ctx context.Context, p *process) error {
	keys, err := readKeyset(p.settings, p.warn)
	if err != nil {
		return err
	}
	id, err := parseKeyID(c.Key, keys)
	if err != nil {
		return err
	}
	next, err := keys.WithPrimary(id)
	if err != nil {
		return err
	}
	if err := changeKeyset(ctx, p, keys, next, store.AuditLogEntry{What: "keys promote", Object: idText(id)}); err != nil {
		return err
	}
	fmt.Fprintf(p.stdout, "Key %s seals new values.\n", idText(id))
	return keyAdded(ctx, p, next)
}

type keysDropCommand struct {
	Key string `arg:"" help:"Key id, as keys status shows it."`
}

// Run removes a key unless values are still sealed with it.
func (c *keysDropCommand) Run(ctx context.Context, p *process) error {
	keys, err := readKeyset(p.settings, p.warn)
	if err != nil {
		return err
	}
	id, err := parseKeyID(c.Key, keys)
	if err != nil {
		return err
	}
	o, closeRedis, err := openOperator(ctx, p, true)
	if err != nil {
		return err
	}
	defer closeRedis()
	sealed, err := o.Ledger.Checks.SealedWith(ctx)
	if err != nil {
		return o.lost(err)
	}
	checked, err := o.Ledger.Checks.CheckedKeys(ctx)
	if err != nil {
		return o.lost(err)
	}
	next, err := keys.Without(id)
	switch {
	case errors.Is(err, store.ErrPrimaryKey):
		return usageError("key %s seals new values: add another key first with icims-export keys rotate", idText(id))
	case err != nil:
		return err
	case sealed[id] > 0:
		return usageError("%s in Redis are sealed with key %s: run icims-export keys reseal first", prose.Plural(sealed[id], "value"), idText(id))
	}
	if slices.Contains(checked, id) {
		return usageError("key %s was used since the last reseal: run icims-export keys reseal first", idText(id))
	}
	err = o.logged(ctx, &store.AuditLogEntry{What: "keys drop", Object: idText(id)}, func() error { return writeKeyset(p, next) })
	if err != nil {
		return err
	}
	fmt.Fprintf(p.stdout, "Removed key %s from %s. Older backups of Redis may still need it.\n", idText(id), p.settings.Keyset)
	return nil
}
