package icims

import (
	"context"
	"net/http"
	"slices"
)

// Op describes one API operation: its name in logs and metrics, its route, and whether it may be
// repeated.
type Op struct {
	// Name is stable and contains no personal data, for example "people.create".
	Name string
	// Method and Pattern are the route: "POST", "/customers/{customer}/people".
	Method  string
	Pattern string
	// Section is the section of the API sheet that describes it.
	Section string
	// Write is set if the operation changes something in iCIMS.
	Write bool
	// Repeatable is set if repeating the operation does not change the result: reads, PATCH, and
	// collection entries, which iCIMS stores only once (API sheet §5.7). A lost response to any
	// other operation is [ClassUnknown].
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

// Ops returns every operation of the client.
func Ops() []Op { return slices.Clone(ops) }

type opKey struct{}

// OpOf returns the operation of the request with context ctx, for middleware that labels or prices
// calls. Outside a call it is the zero Op.
func OpOf(ctx context.Context) Op {
	op, _ := ctx.Value(opKey{}).(Op)
	return op
}

// lostClass returns the class of a call that may have been sent and got no response.
func (o Op) lostClass() Class {
	if o.Repeatable {
		return ClassRetry
	}
	return ClassUnknown
}
