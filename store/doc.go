// Package store keeps everything that lasts: the ledger of exports, success
// markers, batches and connections, in Redis. It knows nothing of queues or of
// iCIMS.
package store
