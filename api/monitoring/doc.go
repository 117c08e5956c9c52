// Package monitoring serves asynq's web UI, asynqmon, at /monitoring beside the console.
// docs/monitoring.md explains its tabs and buttons, and ADR 20 the design.
//
// asynqmon shows asynq's states unchanged. This package adds:
//
//   - routes.go: the served routes of asynqmon. They are all reads of icims-export's tasks, and all
//     changes that lose nothing; the others return an error with an alternative.
//   - change.go: each change is recorded in the audit log before it is made.
//   - hide.go: payloads, results, last errors and names of other programs are hidden, since they may
//     contain personal data.
//   - lens.go: the Redis client that asynqmon reads through.
//   - page.go, file.go, frame: asynqmon's page without scripts and styles from other hosts. The
//     frame hides what is not served, and adds a link to the console.
//
// It does not authenticate requests. The caller does, and refuses requests from other sites.
package monitoring
