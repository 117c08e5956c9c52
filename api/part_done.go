package api

import (
	"errors"
	"strings"

	"github.com/seekout/icims-export/internal/prose"
	"github.com/seekout/icims-export/operate"
	"github.com/seekout/icims-export/store"
)

// partProblem is the problem of an error behind which some was done already; nil for
// other errors.
func partProblem(err error) *Problem {
	if part, ok := errors.AsType[*operate.BrokenOffError](err); ok {
		p := problemOf(part.Err)
		p.Detail = "It broke off after " + prose.Plural(part.Done, part.Thing) + ": ask again to go on." + goesOn(part.Batches)
		return p
	}
	if untold, ok := errors.AsType[*operate.UnrecordedError](err); ok {
		p := problemOf(untold.Err)
		p.Detail = "It was done to " + prose.Plural(untold.Done, untold.Thing) + ", but could not be recorded among the customer's actions." + goesOn(untold.Batches)
		return p
	}
	if unknown, ok := errors.AsType[*operate.PauseUnknownError](err); ok {
		p := problemOf(unknown.Err)
		p.Detail = "Whether it took effect is not known: look at the customer's lane."
		return p
	}
	return nil
}

// goesOn says in which batches what was done goes on; nobody else would tell.
func goesOn(batches []store.BatchID) string {
	switch len(batches) {
	case 0:
		return ""
	case 1:
		return " The candidates go on in batch " + string(batches[0]) + "."
	}
	ids := make([]string, len(batches))
	for i, batch := range batches {
		ids[i] = string(batch)
	}
	return " The candidates go on in the batches " + strings.Join(ids, ", ") + "."
}
