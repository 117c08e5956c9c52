package worker_test

import (
	"errors"
	"flag"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
	"github.com/seekout/icims-export/tasks"
	"github.com/seekout/icims-export/tasks/input"
)

var rotated = flag.Int("rotated", 5000, "how many exports run while the sealing key is exchanged; 5,000 is what is promised")

// Producer, worker and operator are separate processes that share only the keyset file.
func TestKeyRotationWhileExportsRun(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{sim: calm(), stopped: true})
	path := filepath.Join(t.TempDir(), "keyset.json")
	old, err := store.NewKeyset()
	if err == nil {
		err = store.WriteKeysetFile(path, old)
	}
	if err != nil {
		t.Fatal(err)
	}
	process := func() *store.Ledger {
		keys, err := store.ReadKeysetFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return store.NewLedger(r.redis, keys)
	}
	r.producer = tasks.NewClient(r.redis, process())
	r.ledger = process()
	r.worker = r.newWorker(nil)
	const quiet = "77" // a customer without work
	check := sealAll(t, r.ledger, quiet)
	first := r.send(input.ToJob(job), input.Options{}, people(*rotated/2)...)
	r.start()
	r.eventually("a part is done", func() bool {
		b, err := r.ledger.Batches.Get(t.Context(), first)
		return err == nil && b.Created > *rotated/10
	})

	next, id, err := old.WithNewKey(false)
	if err == nil {
		err = store.WriteKeysetFile(path, next)
	}
	if err != nil {
		t.Fatal(err)
	}
	reseal := func() store.Resealing {
		t.Helper()
		found, err := process().Checks.Reseal(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return found
	}
	replaced := reseal().Replaced
	// The producer has not reread the file, and may seal with the old key.
	others := people(*rotated)[*rotated/2:]
	second := r.send(input.ToJob(job), input.Options{}, others...)
	replaced += reseal().Replaced
	if replaced == 0 {
		t.Error("nothing was resealed while the exports ran")
	}
	for _, batch := range []store.BatchID{first, second} {
		if b := r.finished(batch); b.Created != *rotated/2 || b.Dead != 0 {
			t.Errorf("%+v", b)
		}
	}
	if strings.Contains(r.logs.String(), string(store.ReasonPayloadSealed)) {
		t.Error("data could not be opened")
	}
	reseal()
	if last := reseal(); last.Old(id) != 0 {
		t.Errorf("still sealed with the old key: %+v", last)
	}
	for _, entry := range redistest.Dump(t, r.redis) {
		if slices.ContainsFunc(entry.Values, func(value string) bool {
			by, ok := store.SealedBy([]byte(value))
			return ok && by == old.Primary()
		}) {
			t.Errorf("the old key opens something at %s", entry.Key)
		}
	}
	check(process())
	r.clean()
}

// sealAll stores one of each kind of sealed value besides running exports. It returns a function
// that checks that all of them can be opened.
func sealAll(t *testing.T, ledger *store.Ledger, customer string) func(*store.Ledger) {
	t.Helper()
	ctx, now := t.Context(), time.Now()
	spec := store.BatchSpec{Customer: customer}
	batch, _, err := ledger.Batches.Open(ctx, spec)
	if err != nil {
		t.Fatal(err)
	}
	ref := store.Ref{Customer: customer, Export: ledger.Keys().ExportID(string(batch), "c")}
	if _, err = ledger.AcceptFor(ctx, spec, batch, []store.NewExport{{Export: ref.Export, Candidate: "c", Payload: []byte("{}")}}, store.Rows{}, store.NormalQueue); err != nil {
		t.Fatal(err)
	}
	claim, err := ledger.Claim(ctx, ref, store.ClaimOptions{Lease: time.Minute, Settle: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	conn := store.Connection{Customer: customer, Username: "export-user", Password: password}
	_, err1 := ledger.Connections.Add(ctx, conn, "ana", "new")
	_, token, err2 := ledger.Access.NewAPIKey(ctx, store.APIKey{Name: "console"}, now)
	_, err3 := ledger.JobLists.Save(ctx, customer, store.JobList{Jobs: []store.ListedJob{{ID: 7, Title: "Baker"}}}, 1, now)
	err = errors.Join(err1, err2, err3,
		ledger.Finish(ctx, claim, store.Finish{To: store.Dead, Counter: store.CountDead, Reason: "icims_server_error", Entry: &store.Entry{What: "dead"}}),
		ledger.Batches.Close(ctx, batch, 0),
		ledger.Lanes.Pause(ctx, customer, store.Pause{By: "ana", Why: "lunch"}),
		ledger.AuditLog.Append(ctx, store.AuditLogEntry{Who: "ana", What: "pause", Customer: customer, Outcome: store.JournalDone}))
	if err != nil {
		t.Fatal(err)
	}
	return func(after *store.Ledger) {
		t.Helper()
		c, err1 := after.Connections.Get(ctx, customer)
		history, err2 := after.Connections.History(ctx, customer)
		_, err3 := after.Access.CheckAPIKey(ctx, token, now)
		jobs, err4 := after.JobLists.Get(ctx, customer, store.JobList{})
		story, err5 := after.Timeline(ctx, ref)
		payload, err6 := after.DeadLetters.Payload(ctx, ref)
		actions, closed, err7 := after.AuditLog.Actions(ctx, customer, 10)
		journal, err8 := after.AuditLog.Page(ctx, store.AuditLogFilter{})
		if err := errors.Join(err1, err2, err3, err4, err5, err6, err7, err8); err != nil {
			t.Errorf("sealed values: %v", err)
			return
		}
		if c.Password != password || c.Pause == nil || c.Pause.Why != "lunch" || len(history) != 2 || history[1].Who != "ana" ||
			len(jobs.Jobs) != 1 || jobs.Jobs[0].Title != "Baker" || len(story) != 1 || story[0].What != "dead" || string(payload) != "{}" ||
			len(actions) != 1 || closed != 0 || len(journal.Entries) != 1 || journal.Entries[0].Who != "ana" {
			t.Errorf("connection %+v, history %+v, jobs %+v, story %+v, payload %q, actions %+v, journal %+v", c, history, jobs.Jobs, story, payload, actions, journal.Entries)
		}
	}
}
