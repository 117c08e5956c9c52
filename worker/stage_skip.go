package worker

import (
	"context"

	"github.com/seekout/icims-export/store"
)

// skipStage ends the export of a candidate who was exported before, unless the
// batch includes those. An export that has begun to write is carried through:
// the marker may be its own batch's twin.
type skipStage struct{}

func (skipStage) exec(_ context.Context, x *export) outcome {
	begun := x.claim.Intent != store.NoIntent || x.claim.Person != 0
	if x.claim.Marker == nil || x.claim.IncludesExported() || begun {
		return outcome{}
	}
	return outcome{kind: skipped, reason: store.ReasonExportedBefore}
}
