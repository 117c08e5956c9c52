package worker

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store"
)

// verdicts are what iCIMS says of the connection as a whole. They are told to the
// store when they change, so that people see them where they see the connection.
type verdicts struct {
	mu   sync.Mutex
	last store.ConnectionState // as told by this lane; empty: nothing yet
}

func (v *verdicts) set(to store.ConnectionState) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.last = to
}

const verdictTime = 10 * time.Second

// refused is what the log says of verdicts that stop a customer.
var refused = map[store.ConnectionState]string{
	store.CredentialsRejected: "iCIMS refuses the credentials of the connection: the customer's exports wait for others",
	store.AccessDenied:        "iCIMS denies the connection access: the customer's exports wait until it is granted",
}

// heed tells the store of a verdict on the connection, beside the export.
func (l *lane) heed(o outcome) {
	to, reason := verdictOf(o)
	if to == "" || l.errand {
		return
	}
	l.verdicts.mu.Lock()
	known := l.verdicts.last == to
	l.verdicts.last = to
	l.verdicts.mu.Unlock()
	if known {
		return
	}
	if text := refused[to]; text != "" {
		l.log.Error().Str("reason", string(reason)).Msg(text)
	}
	if !l.conn.Stored {
		return
	}
	l.aside.Go(func() {
		ctx, cancel := context.WithTimeout(l.base, verdictTime)
		defer cancel()
		if err := l.tell(ctx, l.conn, to, reason); err != nil && ctx.Err() == nil {
			l.log.Warn().Err(err).Str("state", string(to)).Msg("what iCIMS says of the connection cannot be recorded")
		}
	})
}

// verdictOf is what an outcome says of the connection; empty for nothing.
func verdictOf(o outcome) (store.ConnectionState, store.Reason) {
	if o.kind == done {
		return store.ConnectionConnected, ""
	}
	e, ok := errors.AsType[*icims.Error](o.err)
	switch {
	case !ok || o.kind != deferred:
		return "", ""
	case e.Class == icims.ClassCredentials:
		return store.CredentialsRejected, o.reason
	case e.Class == icims.ClassAccess && e.Status == http.StatusForbidden:
		return store.AccessDenied, o.reason
	default:
		return "", ""
	}
}

// tellVerdict moves the connection in the store, if it is the one that is used here.
// Success moves only one that had been refused, or whose iCIMS had been failing, and
// trouble only one that was connected: the rest is for verification.
func (w *Worker) tellVerdict(ctx context.Context, conn store.Connection, to store.ConnectionState, reason store.Reason) error {
	c, err := w.ledger.Connection(ctx, conn.Customer)
	if errors.Is(err, store.ErrNoConnection) || errors.Is(err, store.ErrSealed) {
		return nil
	}
	if err != nil {
		return err
	}
	mine := c.WithDefaults().WithLimits(conn.Limits)
	mine.Stored = true
	if mine != conn {
		return nil // edited since: the lane is about to learn of it
	}
	below := c.Below()
	bad := below == store.CredentialsRejected || below == store.AccessDenied || below == store.ConnectionDegraded && c.Reason == store.ReasonBreakerOpen
	if to == store.ConnectionConnected && !bad || to == store.ConnectionDegraded && below != store.ConnectionConnected {
		return nil
	}
	err = w.ledger.MoveConnection(ctx, conn.Customer, store.ConnectionMove{
		To: to, Reason: reason, Revision: c.Revision, Who: "worker " + w.id, Why: "as iCIMS answers",
	})
	if _, changed := errors.AsType[*store.ConnectionChangedError](err); changed {
		return nil
	}
	return err
}
