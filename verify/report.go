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
	Job int64 `json:"job,omitempty" doc:"The chosen job for the test candidate."`
	// NoTestCandidate leaves the test candidate out: nothing is written then.
	NoTestCandidate bool `json:"no_test_candidate,omitempty" doc:"Do not send a test candidate."`
}

// State is how a check stands.
type State string

// The states of a check.
const (
	Pending State = "pending" // not started
	Running State = "running"
	OK      State = "ok"
	Warned  State = "warned"  // exports work with limits
	Failed  State = "failed"  // exports do not work
	Skipped State = "skipped" // depends on a failed check, or was not requested
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
	CheckSettings:     "Settings are complete",
	CheckReach:        "iCIMS can be reached",
	CheckCredentials:  "iCIMS accepts user and password",
	CheckAddress:      "iCIMS accepts this service's address",
	CheckCustomer:     "The customer id matches the account",
	CheckPortal:       "The job portal can be read",
	CheckSearch:       "People can be searched",
	CheckPerson:       "Person fields exist",
	CheckWorkflow:     "Workflow fields exist",
	CheckQuota:        "Calls are left for today",
	CheckTest:         "The test candidate is in iCIMS",
	CheckTestWorkflow: "The test candidate is on the job",
	CheckStored:       "iCIMS stored all fields",
	CheckFolder:       "A person's folder can be read",
	CheckVisible:      "A search finds the test candidate",
	CheckSearchMany:   "One search finds several people",
	CheckPair:         "A person's workflow on a job can be read",
}

// Check is what one check has found.
type Check struct {
	Name  Name   `json:"name" doc:"The check; see docs/verification.md." example:"credentials"`
	Title string `json:"title" doc:"The check in words."`
	// Subject tells checks of one name apart: the portal.
	Subject string `json:"subject,omitempty" doc:"The checked portal."`
	State   State  `json:"state" enum:"pending,running,ok,warned,failed,skipped" doc:"The state of the check."`
	// Code says what is wrong, for programs: one of Codes. Empty for a check that is ok.
	Code Code `json:"code,omitempty" doc:"The code of the problem; see docs/verification.md." example:"credentials_refused"`
	// Cause and Remedy say the same to a person.
	Cause  string `json:"cause,omitempty" doc:"What is wrong."`
	Remedy string `json:"remedy,omitempty" doc:"What to do."`
	// Found is what a check that is ok has seen.
	Found string `json:"found,omitempty" doc:"What the check found."`
	// Calls to iCIMS that it took, and Took how long, in milliseconds.
	Calls int   `json:"calls" doc:"Calls to iCIMS."`
	Took  int64 `json:"took_ms,omitempty" doc:"Duration."`
	// Status and Transaction are iCIMS's, for a support ticket.
	Status      int    `json:"status,omitempty" doc:"iCIMS's HTTP status."`
	Transaction string `json:"transaction,omitempty" doc:"iCIMS's transaction id, for iCIMS support."`
}

// Result is how a verification came out.
type Result string

// The results.
const (
	ResultRunning    Result = "running"
	ResultConnected  Result = "connected"  // all checks are ok
	ResultDegraded   Result = "degraded"   // some failed or warned
	ResultRefused    Result = "refused"    // iCIMS refuses credentials, account or address
	ResultIncomplete Result = "incomplete" // unfinished, for example because calls ran out; the connection's state is unchanged
)

// Report is what a verification has found, or has found so far.
type Report struct {
	Result Result `json:"result" enum:"running,connected,degraded,refused,incomplete" doc:"The result; see docs/verification.md."`
	// Revision is that of the connection's settings, where it is the store's.
	Revision int64 `json:"connection_revision,omitempty" doc:"The verified revision of the connection."`
	// Before is the connection's state when it began.
	Before store.ConnectionState `json:"before,omitempty" doc:"The connection's state before."`
	// State is the connection's state after it; empty where that was not changed.
	State  store.ConnectionState `json:"connection_state,omitempty" doc:"The connection's state afterwards."`
	Checks []Check               `json:"checks" doc:"The checks in order."`
	// Job is where the test candidate was sent to; Person and Workflow are its ids.
	Job      int64         `json:"job,omitempty" doc:"The job that the test candidate was sent to."`
	Person   int64         `json:"person,omitempty" doc:"The test candidate in iCIMS."`
	Workflow int64         `json:"workflow,omitempty" doc:"The test candidate's workflow."`
	Batch    store.BatchID `json:"batch,omitempty" doc:"The batch of the test candidate."`
	// Profile is what the verification has found out about the customer's iCIMS.
	Profile store.TenantProfile `json:"profile,omitzero" doc:"What the verification learned about the customer's iCIMS."`
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

	Asks   Args   `json:"asks" doc:"The request."`
	Report Report `json:"report" doc:"The results so far."`
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
