// Package verify finds out whether a customer's connection works: check after check,
// and in the end with a test candidate. A worker does it, since the workers' addresses
// are those that iCIMS knows.
package verify

import (
	"encoding/json"
	"fmt"

	"github.com/seekout/icims-export/store"
)

// Args are what a verification is asked for.
type Args struct {
	// Job is the job that the test candidate is sent to, by its system id; 0 for the
	// first that the portals show.
	Job int64 `json:"job,omitempty" doc:"The job that was chosen for the test candidate."`
	// NoTestCandidate leaves the test candidate out: nothing is written then.
	NoTestCandidate bool `json:"no_test_candidate,omitempty" doc:"No test candidate was to be sent."`
}

// State is how a check stands.
type State string

// The states of a check.
const (
	Pending State = "pending" // its turn is to come
	Running State = "running"
	OK      State = "ok"
	Warned  State = "warned"  // exports work, but not in every respect
	Failed  State = "failed"  // exports do not work
	Skipped State = "skipped" // it would make no sense, or was not asked for
)

// Name names a kind of check.
type Name string

// The checks, in their order.
const (
	CheckSettings     Name = "settings"
	CheckReach        Name = "reach"
	CheckCredentials  Name = "credentials"
	CheckAddress      Name = "address"
	CheckCustomer     Name = "customer"
	CheckPortal       Name = "portal" // one for each portal
	CheckSearch       Name = "person_search"
	CheckPerson       Name = "person_schema"
	CheckWorkflow     Name = "workflow_schema"
	CheckQuota        Name = "quota"
	CheckTest         Name = "test_candidate"
	CheckTestWorkflow Name = "test_workflow"
	CheckStored       Name = "test_stored"
	CheckFolder       Name = "folder"
	CheckVisible      Name = "test_found"
	CheckSearchMany   Name = "search_many"
	CheckPair         Name = "workflow_of_person"
)

// titles say what a check is about.
var titles = map[Name]string{
	CheckSettings:     "The settings are complete",
	CheckReach:        "iCIMS can be reached",
	CheckCredentials:  "iCIMS accepts user and password",
	CheckAddress:      "iCIMS accepts this service's address",
	CheckCustomer:     "The customer id is the account's",
	CheckPortal:       "The job portal can be read",
	CheckSearch:       "People can be searched",
	CheckPerson:       "A person's fields are there",
	CheckWorkflow:     "A workflow's fields are there",
	CheckQuota:        "Calls are left for today",
	CheckTest:         "The test candidate is in iCIMS",
	CheckTestWorkflow: "The test candidate is on the job",
	CheckStored:       "iCIMS has stored what was sent",
	CheckFolder:       "A person's folder can be read",
	CheckVisible:      "A search finds the test candidate",
	CheckSearchMany:   "One search finds several people",
	CheckPair:         "A person's workflow on a job can be read",
}

// Check is what one check has found.
type Check struct {
	Name  Name   `json:"name" doc:"Which check: docs/verification.md explains them." example:"credentials"`
	Title string `json:"title" doc:"What it is about."`
	// Subject tells checks of one name apart: the portal.
	Subject string `json:"subject,omitempty" doc:"The portal that it is about."`
	State   State  `json:"state" enum:"pending,running,ok,warned,failed,skipped" doc:"How it stands."`
	// Code says what is wrong, for programs: one of Codes. Empty for a check that is ok.
	Code Code `json:"code,omitempty" doc:"What is wrong, for programs: a code of docs/verification.md." example:"credentials_refused"`
	// Cause and Remedy say the same to a person.
	Cause  string `json:"cause,omitempty" doc:"What is wrong."`
	Remedy string `json:"remedy,omitempty" doc:"What to do about it."`
	// Found is what a check that is ok has seen.
	Found string `json:"found,omitempty" doc:"What was seen."`
	// Calls to iCIMS that it took, and Took how long, in milliseconds.
	Calls int   `json:"calls" doc:"Calls to iCIMS that it took."`
	Took  int64 `json:"took_ms,omitempty" doc:"How long it took."`
	// Status and Transaction are iCIMS's, for a support ticket.
	Status      int    `json:"status,omitempty" doc:"iCIMS's HTTP status."`
	Transaction string `json:"transaction,omitempty" doc:"iCIMS's id of the call, for its support."`
}

// Result is how a verification came out.
type Result string

// The results.
const (
	ResultRunning    Result = "running"
	ResultConnected  Result = "connected"  // all checks are ok
	ResultDegraded   Result = "degraded"   // some failed or warned
	ResultRefused    Result = "refused"    // iCIMS refuses credentials, account or address
	ResultIncomplete Result = "incomplete" // it could not be finished, as for want of calls: nothing is said of the connection
)

// Report is what a verification has found, or has found so far.
type Report struct {
	Result Result `json:"result" enum:"running,connected,degraded,refused,incomplete" doc:"How it came out: docs/verification.md explains the results."`
	// Revision is that of the connection's settings, where it is the store's.
	Revision int64 `json:"connection_revision,omitempty" doc:"The revision of the connection that was verified."`
	// Before is the connection's state when it began.
	Before store.ConnectionState `json:"before,omitempty" doc:"The connection's state when it began."`
	// State is the connection's state after it; empty where that was not changed.
	State  store.ConnectionState `json:"connection_state,omitempty" doc:"The connection's state that came of it."`
	Checks []Check               `json:"checks" doc:"In their order."`
	// Job is where the test candidate was sent to; Person and Workflow are its ids.
	Job      int64         `json:"job,omitempty" doc:"The job that the test candidate was sent to."`
	Person   int64         `json:"person,omitempty" doc:"The test candidate in iCIMS."`
	Workflow int64         `json:"workflow,omitempty" doc:"Its workflow on the job."`
	Batch    store.BatchID `json:"batch,omitempty" doc:"The batch of the test candidate."`
	// Profile is what the verification has found out about the customer's iCIMS.
	Profile store.TenantProfile `json:"profile,omitzero" doc:"What the verification has found out about the customer's iCIMS."`
}

// Read reads the report of a control task. Before a worker begins it is empty.
func Read(e store.ControlTask) (Report, error) {
	r := Report{Result: ResultRunning, Checks: []Check{}}
	if len(e.Result) == 0 {
		if e.State.Ended() {
			r.end()
		}
		return r, nil
	}
	if err := json.Unmarshal(e.Result, &r); err != nil {
		return Report{}, fmt.Errorf("the report of verification %s is not readable", e.ID)
	}
	if e.State.Ended() {
		r.end()
	}
	return r, nil
}

// end ends a report that nobody goes on with, since its verification was not done.
func (r *Report) end() {
	if r.Result == ResultRunning {
		r.Result = ResultIncomplete
	}
	for i := range r.Checks {
		if c := &r.Checks[i]; c.State == Pending || c.State == Running {
			c.State = Skipped
		}
	}
}

// Worst is the check that speaks most against the connection: the first that failed,
// else the first that warned; false for none.
func (r Report) Worst() (Check, bool) {
	for _, state := range []State{Failed, Warned} {
		for _, c := range r.Checks {
			if c.State == state {
				return c, true
			}
		}
	}
	return Check{}, false
}

// Verification is a control task of this kind, as people and programs see it.
type Verification struct {
	store.ControlView

	Asks   Args   `json:"asks" doc:"What it was asked for."`
	Report Report `json:"report" doc:"What was found, or found so far."`
}

// View returns what is shown of a control task of this kind.
func View(t store.ControlTask) (Verification, error) {
	v := Verification{ControlView: t.View()}
	if len(t.Args) > 0 {
		if err := json.Unmarshal(t.Args, &v.Asks); err != nil {
			return Verification{}, fmt.Errorf("the arguments of verification %s are not readable", t.ID)
		}
	}
	var err error
	v.Report, err = Read(t)
	return v, err
}
