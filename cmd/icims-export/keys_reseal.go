package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/seekout/icims-export/internal/prose"
	"github.com/seekout/icims-export/store"
)

// keyLine is a sealing key in a list.
type keyLine struct {
	Key    store.KeyID `json:"key"`
	Role   string      `json:"role"` // seals, opens or missing
	Sealed int         `json:"sealed"`
}

type keysStatusCommand struct {
	JSON bool `name:"json" help:"Print one JSON object."`
}

// Run shows the keys.
func (c *keysStatusCommand) Run(ctx context.Context, p *process) error {
	o, closeRedis, err := openAnyKeyset(ctx, p, true)
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
	lines := keyLines(o.Ledger.Keys(), sealed, checked)
	if c.JSON {
		err = writeJSON(p.stdout, struct {
			Keys []keyLine `json:"keys"`
		}{lines})
	} else {
		t := &table{out: p.stdout, style: style{p.colours(p.stdout)}, right: map[int]bool{0: true, 2: true}}
		rows := [][]cell{header("key", "role", "sealed values")}
		for _, l := range lines {
			rows = append(rows, cells(idText(l.Key), l.Role, prose.Grouped(l.Sealed)))
		}
		err = t.write(rows...)
	}
	if err != nil {
		return err
	}
	// The reason is printed below the list.
	return checkKeyset(ctx, o.Ledger, p.settings)
}

// keyLines lists the keys of the keyset in order, then the missing ones.
func keyLines(keys *store.Keyset, sealed map[store.KeyID]int, checked []store.KeyID) []keyLine {
	ids := keys.KeyIDs()
	var lines []keyLine
	for _, id := range ids {
		role := "opens"
		if id == keys.Primary() {
			role = "seals"
		}
		lines = append(lines, keyLine{id, role, sealed[id]})
	}
	strangers := append(slices.Collect(maps.Keys(sealed)), checked...)
	slices.Sort(strangers)
	for _, id := range slices.Compact(strangers) {
		if !slices.Contains(ids, id) {
			lines = append(lines, keyLine{id, "missing", sealed[id]})
		}
	}
	return lines
}

type keysResealCommand struct {
	Settle time.Duration `default:"10s" placeholder:"DURATION" help:"How long to wait before the last scan, so that processes load the key."`
	JSON   bool          `name:"json" help:"Print the result as one JSON object."`
}

// resealed is the command's JSON.
type resealed struct {
	Key      store.KeyID `json:"key"`
	Replaced int         `json:"replaced"`
	Left     int         `json:"left"` // still sealed with other keys
	Unopened int         `json:"unopened"`
	Seconds  float64     `json:"seconds"`
}

// resealWalks limits the number of passes over Redis.
const resealWalks = 6

// Run reseals all values with the current key.
func (c *keysResealCommand) Run(ctx context.Context, p *process) error {
	o, closeRedis, err := openOperator(ctx, p, true)
	if err != nil {
		return err
	}
	defer closeRedis()
	started := time.Now()
	r := resealed{Key: o.Ledger.Keys().Primary()}
	entry := &store.AuditLogEntry{What: "keys reseal", Object: idText(r.Key)}
	if err := o.logged(ctx, entry, func() error { return c.reseal(ctx, o, &r) }); err != nil {
		return err
	}
	r.Seconds = time.Since(started).Round(10 * time.Millisecond).Seconds()
	return c.tell(o, r)
}

// reseal reseals all values and counts them.
func (c *keysResealCommand) reseal(ctx context.Context, o *operator, r *resealed) error {
	// The first pass does the work. Another pass, after all processes had time to load the key,
	// verifies it.
	for apiTour := range resealWalks {
		if apiTour > 0 {
			if err := pauseFor(ctx, c.Settle); err != nil {
				return failed("stopped after %s: run the command again to continue", prose.Plural(r.Replaced, "value"))
			}
		}
		found, err := o.Ledger.Checks.Reseal(ctx)
		r.Replaced += found.Replaced
		r.Left, r.Unopened = found.Old(r.Key), found.Unopened
		if err != nil {
			return failed("stopped after %s. %s Then run the command again to continue.", prose.Plural(r.Replaced, "value"), causeOf(err))
		}
		if apiTour > 0 && r.Left == r.Unopened {
			break
		}
	}
	return nil
}

// tell prints the result and what is left to do.
func (c *keysResealCommand) tell(o *operator, r resealed) error {
	p := o.p
	if c.JSON {
		if err := writeJSON(p.stdout, r); err != nil {
			return err
		}
	} else {
		fmt.Fprintf(p.stdout, "%s resealed with key %s.\n", prose.Plural(r.Replaced, "value"), idText(r.Key))
	}
	switch {
	case r.Unopened > 0:
		return failed("%s cannot be opened and were kept: they are damaged, or their key is lost", prose.Plural(r.Unopened, "value"))
	case r.Left > 0:
		return failed("%s were sealed with another key in each scan: a process has not loaded the keyset. Make sure that all have the newest file, then run the command again", prose.Plural(r.Left, "value"))
	}
	if old := slices.DeleteFunc(o.Ledger.Keys().KeyIDs(), func(id store.KeyID) bool { return id == r.Key }); len(old) > 0 && !c.JSON {
		width, _ := terminal(p.stdout)
		hang(p.stdout, width, "", "No value is sealed with another key. icims-export keys drop removes "+idsText(old)+".")
	}
	return nil
}

func pauseFor(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}

type keysAdoptCommand struct {
	Why string `placeholder:"TEXT" help:"Why the other keys are lost."`
}

// Run adopts the keyset as the store's.
func (c *keysAdoptCommand) Run(ctx context.Context, p *process) error {
	if strings.TrimSpace(c.Why) == "" {
		return usageError("give a reason with --why: values sealed with the lost keys will be lost")
	}
	o, closeRedis, err := openAnyKeyset(ctx, p, true)
	if err != nil {
		return err
	}
	defer closeRedis()
	sealed, err := o.Ledger.Checks.SealedWith(ctx)
	if err != nil {
		return o.lost(err)
	}
	err = o.logged(ctx, &store.AuditLogEntry{What: "keys adopt", Why: c.Why}, func() error {
		if err := o.Ledger.Checks.AdoptKeyset(ctx); err != nil {
			return o.lost(err)
		}
		return o.recordAdoption(ctx, c.Why)
	})
	if err != nil {
		return err
	}
	lost := 0
	for _, l := range keyLines(o.Ledger.Keys(), sealed, nil) {
		if l.Role == "missing" {
			lost += l.Sealed
		}
	}
	width, _ := terminal(p.stdout)
	hang(p.stdout, width, "", fmt.Sprintf("%s in Redis cannot be opened with the accepted keyset: affected exports become dead letters (payload_sealed), and affected connections must be entered again.",
		prose.Plural(lost, "value")))
	return nil
}

// recordAdoption records the adoption for every customer.
func (o *operator) recordAdoption(ctx context.Context, why string) error {
	customers, err := o.customers(ctx, "")
	if err != nil {
		return err
	}
	for _, customer := range customers {
		action := store.Action{At: time.Now(), Who: whoIs(""), What: "adopted the keyset after a loss of keys", Why: why}
		if err := o.Ledger.AuditLog.Act(ctx, customer, action); err != nil {
			return failed("the keyset is accepted, but recording it failed. %s", causeOf(err))
		}
	}
	return nil
}
