// Package client calls the HTTP API of icims-export from Go. A service that can reach
// Redis and has the keyset may use package tasks instead: batches and receipts are the
// same types.
package client
