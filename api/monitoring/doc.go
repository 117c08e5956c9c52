// Package monitoring serves asynq's web UI, asynqmon, at /monitoring beside the console.
// docs/monitoring.md says what its tabs and buttons mean here, ADR 20 why it is done so.
//
// asynq's states are true, so asynqmon shows them as they are. What this package adds:
//
//   - routes.go: which of asynqmon's routes are served. All that show something ours, and
//     all changes that lose nothing; the others answer with what to do instead.
//   - change.go: each change is entered in the audit log before it is made.
//   - hide.go: payloads, results, last errors and names that are not ours are not shown.
//     Another program that uses the same Redis may put people's data into them.
//   - lens.go: the Redis client that asynqmon reads through.
//   - page.go, file.go, frame: asynqmon's page with scripts and styles from here alone. The
//     frame hides what is not served, and adds a link to the console.
//
// It does not ask who makes a request. Whoever mounts it does, and keeps requests from
// other sites away.
package monitoring
