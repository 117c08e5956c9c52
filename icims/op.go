package icims

import (
	"context"
	"net/http"
	"slices"
)

// Op describes one operation of the API: what it is called in logs and
// metrics, where it lives, and whether it may be repeated.
type Op struct {
	// Name is stable and free of personal data, for example "people.create".
	Name string
	// Method and Pattern are the route: "POST", "/customers/{customer}/people".
	Method  string
	Pattern string
	// Section is where the API sheet describes it.
	Section string
	// Write is set where the operation changes something in iCIMS.
	Write bool
	// Repeatable is set where doing it twice leaves iCIMS as doing it once:
	// reads, PATCH, and collection entries, which iCIMS stores only once
	// (API sheet §5.7). The answer to a lost call that is not repeatable is
	// [ClassUnknown].
	Repeatable bool
}

var (
	opCustomer        = Op{"customer.get", http.MethodGet, "/customers/{customer}", "§10", false, true}
	opSearchPeople    = Op{"people.search", http.MethodPost, "/customers/{customer}/search/people", "§7", false, true}
	opSearchWorkflows = Op{"workflows.search", http.MethodPost, "/customers/{customer}/search/applicantworkflows", "§7", false, true}
	opSearchPortal    = Op{"portals.search", http.MethodGet, "/customers/{customer}/search/portals/{portal}", "§8", false, true}
	opPerson          = Op{"people.get", http.MethodGet, "/customers/{customer}/people/{person}", "§5.1", false, true}
	opCreatePerson    = Op{"people.create", http.MethodPost, "/customers/{customer}/people", "§5.2", true, false}
	opPatchPerson     = Op{"people.patch", http.MethodPatch, "/customers/{customer}/people/{person}", "§5.5", true, true}
	opAddEntry        = Op{"people.collection.add", http.MethodPost, "/customers/{customer}/people/{person}/fields/{collection}", "§5.7", true, true}
	opWorkflow        = Op{"workflows.get", http.MethodGet, "/customers/{customer}/applicantworkflows/{workflow}", "§9.3", false, true}
	opPairWorkflow    = Op{"workflows.pair", http.MethodGet, "/customers/{customer}/applicantworkflows/person/{person}/job/{job}", "§9.3", false, true}
	opCreateWorkflow  = Op{"workflows.create", http.MethodPost, "/customers/{customer}/applicantworkflows", "§9.1", true, false}
	opPatchWorkflow   = Op{"workflows.patch", http.MethodPatch, "/customers/{customer}/applicantworkflows/{workflow}", "§9.3", true, true}
	opJob             = Op{"jobs.get", http.MethodGet, "/customers/{customer}/jobs/{job}", "§8", false, true}
	opSchema          = Op{"schema.get", http.MethodGet, "/customers/{customer}/profiledefinitions/v1/{type}/schema", "§10", false, true}
)

var ops = []Op{
	opCustomer, opSearchPeople, opSearchWorkflows, opSearchPortal, opPerson, opCreatePerson, opPatchPerson,
	opAddEntry, opWorkflow, opPairWorkflow, opCreateWorkflow, opPatchWorkflow, opJob, opSchema,
}

// Ops returns every operation the client can make.
func Ops() []Op { return slices.Clone(ops) }

type opKey struct{}

// OpOf returns the operation of the request that carries ctx, for middleware
// that labels or prices calls. It is the zero Op outside a call.
func OpOf(ctx context.Context) Op {
	op, _ := ctx.Value(opKey{}).(Op)
	return op
}

// lostClass is the class of a call whose answer was lost after it may have
// been sent.
func (o Op) lostClass() Class {
	if o.Repeatable {
		return ClassRetry
	}
	return ClassUnknown
}
