package api

import (
	"errors"
	"strings"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/internal/prose"
	"github.com/seekout/icims-export/store"
)

// partialProblem returns the problem of an error after part of the work was done; nil for other
// errors.
func partialProblem(err error) *Problem {
	if part, ok := errors.AsType[*admin.BrokenOffError](err); ok {
		p := problemOf(part.Err)
		p.Detail = "Stopped after " + prose.Plural(part.Done, part.Thing) + ". Repeat the request to continue." + batchNames(part.Batches)
		return p
	}
	if untold, ok := errors.AsType[*admin.UnrecordedError](err); ok {
		p := problemOf(untold.Err)
		p.Detail = "Done (" + prose.Plural(untold.Done, untold.Thing) + "), but not recorded among the customer's actions." + batchNames(untold.Batches)
		return p
	}
	if unknown, ok := errors.AsType[*admin.PauseUnknownError](err); ok {
		p := problemOf(unknown.Err)
		p.Detail = "It is unknown whether the change took effect. Check the customer's lane."
		return p
	}
	return nil
}

// batchNames names the new batches of the candidates.
func batchNames(batches []store.BatchID) string {
	switch len(batches) {
	case 0:
		return ""
	case 1:
		return " The candidates continue in batch " + string(batches[0]) + "."
	}
	ids := make([]string, len(batches))
	for i, batch := range batches {
		ids[i] = string(batch)
	}
	return " The candidates continue in the batches " + strings.Join(ids, ", ") + "."
}
