package worker

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store"
)

// connectionVerdict is a state of the connection that follows from an answer of iCIMS.
type connectionVerdict struct {
	to     store.ConnectionState
	reason store.Reason
}

// verdicts are those of a lane. Changes are stored one after the other, so that people see them
// with the connection. They are stored again after a while, since other workers write them too.
type verdicts struct {
	mu       sync.Mutex
	last     store.ConnectionState // the last one
	stored   store.ConnectionState // in the store; empty: unknown
	storedAt time.Time             // when it was stored
	pending  connectionVerdict     // to be stored; empty: none
	storing  bool
}

// verdictValid is how long a stored verdict is taken to be still in the store.
const verdictValid = time.Minute

// add adds a verdict. changed: it differs from the last one. tell: the caller must store the
// pending verdicts, see take.
func (v *verdicts) add(to connectionVerdict, now time.Time) (changed, write bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	changed, v.last = v.last != to.to, to.to
	switch {
	case v.storing:
		v.pending = to // it may differ from the one being stored
		return changed, false
	case v.stored == to.to && now.Sub(v.storedAt) < verdictValid:
		return changed, false
	}
	v.pending, v.storing, v.stored = to, true, ""
	return changed, true
}

// take returns the verdict to store; false: there is none.
func (v *verdicts) take() (connectionVerdict, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	to := v.pending
	v.pending = connectionVerdict{}
	v.storing = to.to != "" && to.to != v.stored
	return to, v.storing
}

// setStored records the result of storing a verdict. After an error, the next one is stored.
func (v *verdicts) setStored(to store.ConnectionState, now time.Time, err error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.stored, v.storedAt = to, now; err != nil {
		v.stored, v.pending = "", connectionVerdict{}
	}
}

// forget makes the next verdict be stored.
func (v *verdicts) forget() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.stored = ""
}

// storeVerdictTime bounds the storing of a verdict.
const storeVerdictTime = 10 * time.Second

// refusedMessages are the log messages of verdicts that stop a customer.
var refusedMessages = map[store.ConnectionState]string{
	store.CredentialsRejected: "iCIMS refuses the credentials of the connection: the customer's exports wait for others",
	store.AccessDenied:        "iCIMS denies the connection access: the customer's exports wait until it is granted",
}

// noteVerdict stores the verdict of an outcome in the background.
func (l *lane) noteVerdict(o outcome) {
	to, reason := verdictOf(o)
	if to == "" || l.control {
		return
	}
	changed, write := l.verdicts.add(connectionVerdict{to, reason}, l.now())
	if text := refusedMessages[to]; changed && text != "" {
		l.log.Error().Str("reason", string(reason)).Msg(text)
	}
	if write {
		spawn(&l.background, l.log, "verdicts", l.storeVerdicts)
	}
}

// storeVerdicts stores the pending verdicts.
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

// verdictOf returns what an outcome says about the connection; empty: nothing.
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

// setConnectionState changes the connection's state in the store, if it is the connection used
// here. Success only restores a refused or failing connection, and an outage only degrades a
// connected one. Verification decides everything else.
func (w *Worker) setConnectionState(ctx context.Context, conn store.Connection, to store.ConnectionState, reason store.Reason) error {
	c, err := w.ledger.Connections.Get(ctx, conn.Customer)
	if errors.Is(err, store.ErrNoConnection) || errors.Is(err, store.ErrSealed) {
		return nil
	}
	if err != nil {
		return err
	}
	mine := c.WithDefaults().WithLimits(conn.Limits)
	mine.Stored = true
	if mine != conn {
		return nil // edited since; the lane is about to be replaced
	}
	below := c.Below()
	bad := below == store.CredentialsRejected || below == store.AccessDenied || below == store.ConnectionDegraded && c.Reason == store.ReasonBreakerOpen
	if below == to || to == store.ConnectionConnected && !bad || to == store.ConnectionDegraded && below != store.ConnectionConnected {
		return nil
	}
	err = w.ledger.Connections.Move(ctx, conn.Customer, store.ConnectionMove{
		To: to, Reason: reason, Revision: c.Revision, Who: "worker " + w.id, Why: "as iCIMS answers",
	})
	if _, changed := errors.AsType[*store.ConnectionChangedError](err); changed {
		return nil
	}
	return err
}
