package api

import (
	"errors"

	"github.com/seekout/icims-export/internal/prose"
	"github.com/seekout/icims-export/operate"
)

// partProblem is the problem of an error behind which some was done already; nil for
// other errors.
func partProblem(err error) *Problem {
	if part, ok := errors.AsType[*operate.BrokenOffError](err); ok {
		p := problemOf(part.Err)
		p.Detail = "It broke off after " + prose.Plural(part.Done, part.Thing) + ": ask again to go on."
		return p
	}
	if untold, ok := errors.AsType[*operate.UnrecordedError](err); ok {
		p := problemOf(untold.Err)
		p.Detail = "It was done to " + prose.Plural(untold.Done, untold.Thing) + ", but could not be recorded among the customer's actions."
		return p
	}
	if unknown, ok := errors.AsType[*operate.PauseUnknownError](err); ok {
		p := problemOf(unknown.Err)
		p.Detail = "Whether it took effect is not known: look at the customer's lane."
		return p
	}
	return nil
}
