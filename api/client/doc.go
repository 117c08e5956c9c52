// Package client calls the HTTP API of icims-export from Go.
//
// [New] makes a [Client]. [Client.Enqueue] submits a batch (package tasks/input) and returns a
// [Receipt]; [Client.Wait] follows the [Batch] to its end; [Client.Results] iterates over what became of
// each candidate. Refusals of the API are a *[Problem] with a stable code; errors.Is matches it with
// [ErrNoBatch] and the like.
//
// A service with access to Redis and the keyset can use package tasks instead, with the same batches.
package client
