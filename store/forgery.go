package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
)

// Forgery is a Redis record that this service did not write in its current form. It was rejected,
// and nothing was sent to iCIMS because of it.
type Forgery string

// The kinds of forgeries.
const (
	// ForgedTask is a task in a customer's queue that names another customer's export.
	ForgedTask Forgery = "task"
	// ForgedExport is an export whose target, options, candidate, email or person differs from what
	// this service recorded.
	ForgedExport Forgery = "export"
	// ForgedConnection is a connection that was replaced by an older or foreign one.
	ForgedConnection Forgery = "connection"
)

// allForgeries lists all kinds of forgeries.
func allForgeries() []Forgery { return []Forgery{ForgedTask, ForgedExport, ForgedConnection} }

// ErrForged means that the key of a sealed value is known, but the value was sealed for another
// place or was changed. It is also an ErrSealed.
var ErrForged = fmt.Errorf("%w: it was changed or moved in Redis", ErrSealed)

// The violations that report forgeries.
const (
	ViolationForgedTask       = "forged_task"
	ViolationForgedExport     = "forged_export"
	ViolationForgedConnection = "forged_connection"
)

var forgeries = map[Forgery]struct{ violation, text string }{
	ForgedTask:       {ViolationForgedTask, "%d tasks in the customer's queues named another customer's exports, the last one on %s. They were refused. Find out who can write to Redis."},
	ForgedExport:     {ViolationForgedExport, "%d exports had another target, candidate, e-mail or person than this service recorded, the last one on %s. They were refused. Find out who can write to Redis."},
	ForgedConnection: {ViolationForgedConnection, "The connection was replaced in Redis %d times, the last time on %s. It was refused. Find out who can write to Redis, and enter the connection again."},
}

// forgeryKept is how long the check reports a rejected forgery.
const forgeryKept = 30 * 24 * time.Hour

func forgeryFields(f Forgery) (count, last string) {
	return "forged:" + string(f), "forged:" + string(f) + ":at"
}

// RecordForgery counts a rejected forgery, for the check to report.
func (l *Ledger) RecordForgery(ctx context.Context, customer string, f Forgery) error {
	now, err := l.nowAt(ctx, lanesKey)
	if err != nil {
		return err
	}
	count, last := forgeryFields(f)
	_, err = l.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		p.HIncrBy(ctx, countersKey(customer), count, 1)
		p.HSet(ctx, countersKey(customer), last, now.UnixMilli())
		return nil
	})
	return wrapped("note a forgery", err)
}

// forgeries reports recently rejected forgeries, and a forged connection.
func (a *auditor) forgeries(ctx context.Context) error {
	found, err := a.Connections.GetAll(ctx, a.customer)
	if err != nil {
		return err
	}
	if found[a.customer].Forged {
		a.violatef(ViolationForgedConnection, "", "", "The connection in Redis was changed or replaced by another program. It is not used. Find out who can write to Redis, and enter the connection again.")
	}
	for _, f := range allForgeries() {
		count, last := forgeryFields(f)
		values, err := a.redis.HMGet(ctx, countersKey(a.customer), count, last).Result()
		if err != nil {
			return fmt.Errorf("read forgeries: %w", err)
		}
		n, at := number(text(values[0])), millis(text(values[1]))
		if n > 0 && a.now.Sub(at) < forgeryKept {
			a.violatef(forgeries[f].violation, "", "", forgeries[f].text, n, at.UTC().Format("2 Jan 2006, 15:04 UTC"))
		}
	}
	return nil
}

// sealed checks that the payloads of exports open for the target, options and IDs in their records.
func (a *auditor) sealed(ctx context.Context, id BatchID, list []facts) error {
	var kept []facts
	for _, f := range list {
		if f.payload && f.state != "" && f.batch == id.local() {
			kept = append(kept, f)
		}
	}
	if len(kept) == 0 || a.keys == nil { // without a keyset, nothing can be opened
		return nil
	}
	payloads := make([]*redis.StringCmd, len(kept))
	var batch *redis.SliceCmd
	sent, err := a.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		batch = p.HMGet(ctx, batchKey(id), "t", "o")
		for i, f := range kept {
			payloads[i] = p.Get(ctx, payloadKey(a.customer, f.export))
		}
		return nil
	})
	if err := failure(sent, err); err != nil {
		return fmt.Errorf("read payloads: %w", err)
	}
	to := destination{text(batch.Val()[0]), text(batch.Val()[1])}
	for i, f := range kept {
		sealed := payloads[i].Val()
		if sealed == "" {
			continue // finished in the meantime
		}
		_, err := a.openPayload([]byte(sealed), Ref{a.customer, f.export}, to)
		if errors.Is(err, ErrForged) || a.keys.ExportID(string(id), f.candidate) != f.export {
			a.violatef(ViolationForgedExport, id, f.export, "The export's record was changed in Redis: its target, options or candidate differ from the accepted ones. It will not be sent.")
		}
	}
	return nil
}
