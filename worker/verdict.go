package worker

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store"
)

// saying is what iCIMS says of a connection as a whole.
type connectionVerdict struct {
	to     store.ConnectionState
	reason store.Reason
}

// verdicts are those of a lane. They are told to the store when they change, one after
// the other, so that people see them where they see the connection; and again after a
// while, since others tell it too.
type verdicts struct {
	mu       sync.Mutex
	last     store.ConnectionState // by iCIMS, the last time
	stored   store.ConnectionState // to the store; empty: nothing that holds
	storedAt time.Time             // when it was
	pending  connectionVerdict     // to be told; empty: nothing
	storing  bool
}

// verdictHolds is for how long the store is taken to know what it was told.
const verdictHolds = time.Minute

// heard takes a verdict in. news: iCIMS has not said so the last time. tell: it is to be
// told to the store, by the caller, see take.
func (v *verdicts) add(to connectionVerdict, now time.Time) (changed, tell bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	changed, v.last = v.last != to.to, to.to
	switch {
	case v.storing:
		v.pending = to // it may differ from what is being told
		return changed, false
	case v.stored == to.to && now.Sub(v.storedAt) < verdictHolds:
		return changed, false
	}
	v.pending, v.storing, v.stored = to, true, ""
	return changed, true
}

// take is the verdict that is to be told; none: the telling is over.
func (v *verdicts) take() (connectionVerdict, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	to := v.pending
	v.pending = connectionVerdict{}
	v.storing = to.to != "" && to.to != v.stored
	return to, v.storing
}

// wasTold notes that the store knows, or that it could not be told: then the next
// verdict is.
func (v *verdicts) setStored(to store.ConnectionState, now time.Time, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.stored, v.storedAt = to, now; err != nil {
		v.stored, v.pending = "", connectionVerdict{}
	}
}

// forget makes the next verdict one that the store does not know.
func (v *verdicts) forget() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.stored = ""
}

// verdictTime is how long telling the store may take.
const storeVerdictTime = 10 * time.Second

// refused is what the log says of verdicts that stop a customer.
var refusedMessages = map[store.ConnectionState]string{
	store.CredentialsRejected: "iCIMS refuses the credentials of the connection: the customer's exports wait for others",
	store.AccessDenied:        "iCIMS denies the connection access: the customer's exports wait until it is granted",
}

// heed tells the store of a verdict on the connection, beside the export.
func (l *lane) noteVerdict(o outcome) {
	to, reason := verdictOf(o)
	if to == "" || l.control {
		return
	}
	news, tell := l.verdicts.add(connectionVerdict{to, reason}, l.now())
	if text := refusedMessages[to]; news && text != "" {
		l.log.Error().Str("reason", string(reason)).Msg(text)
	}
	if tell {
		spawn(&l.background, l.log, "verdicts", l.storeVerdicts)
	}
}

// tellVerdicts tells the store of what there is to tell.
func (l *lane) storeVerdicts() {
	for {
		to, ok := l.verdicts.take()
		if !ok {
			return
		}
		var err error
		if l.conn.Stored {
			err = l.storeVerdict(to)
		}
		l.verdicts.setStored(to.to, l.now(), err)
	}
}

func (l *lane) storeVerdict(to connectionVerdict) error {
	ctx, cancel := context.WithTimeout(l.base, storeVerdictTime)
	defer cancel()
	err := l.setState(ctx, l.conn, to.to, to.reason)
	if err != nil && ctx.Err() == nil {
		l.log.Warn().Err(err).Fields(store.LogFields(err)).Str("state", string(to.to)).Msg("could not record the connection's state")
	}
	return err
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
	case e.Class == icims.ClassAccess:
		return store.AccessDenied, o.reason
	default:
		return "", ""
	}
}

// tellVerdict moves the connection in the store, if it is the one that is used here.
// Success moves only one that had been refused, or whose iCIMS had been failing, and
// trouble only one that was connected: the rest is for verification.
func (w *Worker) setConnectionState(ctx context.Context, conn store.Connection, to store.ConnectionState, reason store.Reason) error {
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
	if below == to || to == store.ConnectionConnected && !bad || to == store.ConnectionDegraded && below != store.ConnectionConnected {
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
