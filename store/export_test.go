package store

import "context"

// Token returns the fencing token.
func (c *Claim) Token() int64 { return c.token }

// RecordEvent adds an event to those of the customer.
func (l *AuditLog) RecordEvent(ctx context.Context, customer, kind, text string) error {
	return l.addEvent(ctx, customer, kind, text)
}
