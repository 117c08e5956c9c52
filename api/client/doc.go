// Package client calls the HTTP API of icims-export from Go. A service with access to Redis and the
// keyset can use package tasks instead: batches and receipts have the same types.
package client
