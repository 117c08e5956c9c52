// Package tasks is what producers with access to Redis import.
//
// [Client.Enqueue] accepts a batch of candidates (package tasks/input): it validates the rows, writes
// the accepted ones to the ledger with one asynq task each, and returns a [Receipt]. [Review] does the
// same without writing. [NewTask] makes a task for producers that have an asynq client of their own.
//
// The rest is shared with workers: the names of tasks and queues ([Queues]), the reference that a task
// carries, and the sealed [Payload]. Producers without access to Redis use package api/client.
package tasks
