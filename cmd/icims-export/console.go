package main

import (
	"context"
	"net/http"
	"time"

	"github.com/rs/zerolog"

	"github.com/seekout/icims-export/api"
	"github.com/seekout/icims-export/api/console"
	"github.com/seekout/icims-export/api/monitoring"
	"github.com/seekout/icims-export/store"
)

// mountConsole adds the console and asynq's web UI to the API server, behind one login. idle is how
// long an unused session lasts. Call the returned function to close them.
func mountConsole(server *api.Server, idle time.Duration, log zerolog.Logger) (func(), error) {
	queues, err := monitoring.New(monitoring.Options{
		Redis: server.Redis, Path: console.MonitoringPath, MayOperate: console.MayOperate, Announce: server.Ledger.Lanes.Announce,
		Journal: func(r *http.Request, c monitoring.Change) (func(error), error) {
			return noteChange(server.Ledger, r, c)
		}, Log: log,
	})
	if err != nil {
		return nil, failed("asynq's web UI cannot be created: %s", rootCause(err))
	}
	version, _ := versions()
	if version == "(devel)" {
		version = "" // unknown with go run and go build
	}
	pages, err := console.New(console.Options{API: server, Keys: server.Ledger.Keys(), Monitoring: queues, Idle: idle, Version: version, Log: log})
	if err != nil {
		_ = queues.Close()
		return nil, failed("the console cannot be created: %s", rootCause(err))
	}
	server.Mount(pages)
	return func() { _ = queues.Close() }, nil
}

// noteChange records in the audit log that a change was requested in asynq's web UI, and returns a
// function that records its outcome.
func noteChange(ledger *store.Ledger, r *http.Request, c monitoring.Change) (func(error), error) {
	const longest = 5 * time.Second
	who, request := console.Visitor(r)
	enter := func(outcome store.AuditLogOutcome) error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), longest)
		defer cancel()
		return ledger.AuditLog.Append(ctx, store.AuditLogEntry{
			At: time.Now(), Request: request, Outcome: outcome, Who: who.Name, Key: who.Key, What: "asynq " + c.What, Customer: c.Customer, Object: c.Object(),
		})
	}
	if err := enter(store.JournalAsked); err != nil {
		return nil, err
	}
	return func(err error) {
		outcome := store.JournalDone
		if err != nil {
			outcome = store.JournalFailed
		}
		_ = enter(outcome) // the request is already in the audit log
	}, nil
}
