package worker

import (
	"context"
	"errors"

	"github.com/seekout/icims-export/store"
)

// refuse reports whether a task does not belong into this lane's queues: it names an
// export of another customer, which must not be sent with this one's credentials.
func (l *lane) refuse(ctx context.Context, ref store.Ref) bool {
	if ref.Customer == l.conn.Customer {
		return false
	}
	l.forged(ctx, store.ForgedTask, ref, "task refused: it names another customer's export")
	return true
}

// forgedExport gives up an export whose record does not fit what was accepted. Its
// candidate's data stays with the dead letter.
func (s claimStage) forgedExport(ctx context.Context, x *export) outcome {
	s.forged(ctx, store.ForgedExport, x.ref, "export refused: its record was changed in Redis")
	return outcome{kind: dead, reason: store.ReasonForged, err: errors.New("the record does not fit what was accepted")}
}

// forged tells everybody of a forgery.
func (l *lane) forged(ctx context.Context, what store.Forgery, ref store.Ref, message string) {
	l.observer.Forged(what)
	l.log.Error().Str("export", ref.Export).Str("export_of", ref.Customer).Msg(message)
	if err := l.ledger.NoteForgery(ctx, l.conn.Customer, what); err != nil {
		l.log.Warn().Err(err).Fields(store.LogFields(err)).Msg("the check cannot be told of a forgery")
	}
}
