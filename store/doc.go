// Package store keeps all durable state in Redis: the ledger of exports, batches, success markers,
// connections, API keys and the audit log. It depends neither on queues nor on iCIMS.
package store
