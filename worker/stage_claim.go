package worker

import (
	"context"
	"errors"
	"time"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/mapping"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
)

// claimStage claims the export in the ledger: fencing token, lease, email lock, payload, earlier
// progress and marker in one round trip.
type claimStage struct{ *lane }

// The delay while another export holds the email: usually a few seconds, longer if its write is
// unknown.
const (
	lockedRetry  = 2 * time.Second
	lockedAtMost = time.Minute
)

func (s claimStage) exec(ctx context.Context, x *export) outcome {
	asked := s.now()
	claim, err := s.ledger.Claim(ctx, x.ref, store.ClaimOptions{
		Lease: s.settings.Lease, Settle: s.settings.SettleTime, Worker: s.worker, PastPause: s.control,
	})
	switch {
	case errors.Is(err, store.ErrForged):
		x.claim = claim
		return s.forgedExport(ctx, x)
	case errors.Is(err, store.ErrPayloadMissing):
		x.claim = claim
		// Submitting the batch again restores it.
		return outcome{kind: retry, reason: store.ReasonPayloadMissing, err: err}
	case errors.Is(err, store.ErrSealed):
		x.claim = claim
		// This worker's keyset is more likely outdated than the data lost.
		return outcome{kind: retry, reason: store.ReasonPayloadSealed, err: err}
	case err != nil:
		return ledgerFault(err)
	}
	switch claim.Verdict {
	case store.ClaimOK:
	case store.ClaimHeld:
		return outcome{kind: released, reason: store.ReasonClaimHeld, after: claim.Wait + time.Second}
	case store.ClaimPaused:
		after := pausedPause
		if claim.Wait > 0 {
			after = min(after, claim.Wait+time.Second)
		}
		return outcome{kind: released, reason: store.ReasonPaused, after: after}
	case store.ClaimUnsettled:
		return outcome{kind: released, reason: store.ReasonWriteSettling, after: claim.Wait + time.Second}
	case store.ClaimWentBack:
		s.limiter.CloseFor(string(store.ReasonRedisWentBack), claim.Wait)
		return outcome{kind: released, reason: store.ReasonRedisWentBack, after: claim.Wait + time.Second}
	case store.ClaimLocked:
		return outcome{kind: released, reason: store.ReasonEmailBusy, after: min(max(lockedRetry, claim.Wait), lockedAtMost)}
	case store.ClaimEnded:
		return outcome{kind: released, ended: claim.State}
	default:
		return outcome{kind: released, ended: store.Done}
	}

	x.claim = claim
	x.onClaim(asked)
	x.job = icims.JobID(store.JobOf(claim.Target))
	x.personID, x.personMade = icims.PersonID(claim.Person), claim.PersonMade
	x.warnings = mapping.ParseWarnings(claim.Warnings)
	if x.payload, err = tasks.DecodePayload(claim.Payload); err != nil {
		return outcome{kind: dead, reason: store.ReasonPayloadBroken, err: err}
	}
	if x.payload.Candidate.ID != claim.Candidate || s.ledger.Keys().EmailHash(x.ref.Customer, x.payload.Candidate.Email) != claim.EmailHash {
		return s.forgedExport(ctx, x)
	}
	return outcome{}
}

// refuse reports whether a task names an export of another customer, which must not be sent with
// this customer's credentials.
func (l *lane) refuse(ctx context.Context, ref store.Ref) bool {
	if ref.Customer == l.conn.Customer {
		return false
	}
	l.forged(ctx, store.ForgedTask, ref, "task refused: it names another customer's export")
	return true
}

// forgedExport makes an export dead whose record differs from what was accepted. The candidate's
// data stays with the dead letter.
func (s claimStage) forgedExport(ctx context.Context, x *export) outcome {
	s.forged(ctx, store.ForgedExport, x.ref, "export refused: its record was changed in Redis")
	return outcome{kind: dead, reason: store.ReasonForged, err: errors.New("the record differs from the accepted candidate")}
}

// forged counts, logs and records a forgery.
func (l *lane) forged(ctx context.Context, what store.Forgery, ref store.Ref, message string) {
	l.observer.Forged(what)
	l.log.Error().Str("export", ref.Export).Str("export_of", ref.Customer).Msg(message)
	if err := l.ledger.RecordForgery(ctx, l.conn.Customer, what); err != nil {
		l.log.Warn().Err(err).Fields(store.LogFields(err)).Msg("could not record a forged export")
	}
}

// skipStage ends the export of a candidate who was exported before, unless the batch includes
// such candidates. An export that has begun to write continues: the marker may come from the same
// candidate in its own batch.
type skipStage struct{}

func (skipStage) exec(_ context.Context, x *export) outcome {
	begun := x.claim.Intent != store.NoIntent || x.claim.Person != 0
	if x.claim.Marker == nil || x.claim.IncludesExported() || begun {
		return outcome{}
	}
	return outcome{kind: skipped, reason: store.ReasonExportedBefore}
}
