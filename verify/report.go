// Package verify verifies a customer's connection, check by check, and finally with a test
// candidate. It runs in a worker, since iCIMS allow-lists the workers' addresses.
package verify

import (
	"encoding/json"
	"fmt"

	"github.com/seekout/icims-export/store"
)

// Args are the arguments of a verification.
type Args struct {
	// Job is the ID of the job for the test candidate; 0 means the first job of the portals.
	Job int64 `json:"job,omitempty" doc:"The chosen job for the test candidate."`
	// NoTestCandidate skips the test candidate. Nothing is written then.
	NoTestCandidate bool `json:"no_test_candidate,omitempty" doc:"Do not send a test candidate."`
}

// State is the state of a check.
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
	CheckSettings:     "Settings",
	CheckReach:        "Connection to iCIMS",
	CheckCredentials:  "Credentials",
	CheckAddress:      "IP allow-list",
	CheckCustomer:     "Customer ID",
	CheckPortal:       "Job portal",
	CheckSearch:       "Search for people",
	CheckPerson:       "Person fields",
	CheckWorkflow:     "Workflow fields",
	CheckQuota:        "Daily calls",
	CheckTest:         "Test candidate",
	CheckTestWorkflow: "Test candidate on the job",
	CheckStored:       "Stored fields",
	CheckFolder:       "Folder of a person",
	CheckVisible:      "Search for the test candidate",
	CheckSearchMany:   "Search for several people",
	CheckPair:         "Workflow by person and job",
}

// Check is the result of one check.
type Check struct {
	Name  Name   `json:"name" doc:"The check; see docs/verification.md." example:"credentials"`
	Title string `json:"title" doc:"The check in words."`
	// Subject distinguishes checks with the same name: the portal.
	Subject string `json:"subject,omitempty" doc:"The checked portal."`
	State   State  `json:"state" enum:"pending,running,ok,warned,failed,skipped" doc:"The state of the check."`
	// Code is the machine-readable problem, one of Codes. Empty for a check that is ok.
	Code Code `json:"code,omitempty" doc:"The code of the problem; see docs/verification.md." example:"credentials_refused"`
	// Cause and Remedy say the same in words.
	Cause  string `json:"cause,omitempty" doc:"What is wrong."`
	Remedy string `json:"remedy,omitempty" doc:"What to do."`
	// Found is the finding of a check that is ok.
	Found string `json:"found,omitempty" doc:"What the check found."`
	// Calls is the number of calls to iCIMS; Took is the duration in milliseconds.
	Calls int   `json:"calls" doc:"Calls to iCIMS."`
	Took  int64 `json:"took_ms,omitempty" doc:"Duration."`
	// Status and Transaction are from iCIMS's response, for support tickets.
	Status      int    `json:"status,omitempty" doc:"iCIMS's HTTP status."`
	Transaction string `json:"transaction,omitempty" doc:"iCIMS's transaction id, for iCIMS support."`
}

// Result is the result of a verification.
type Result string

// The results.
const (
	ResultRunning    Result = "running"
	ResultConnected  Result = "connected"  // all checks are ok
	ResultDegraded   Result = "degraded"   // some failed or warned
	ResultRefused    Result = "refused"    // iCIMS refuses credentials, account, address or searches for people
	ResultIncomplete Result = "incomplete" // unfinished, for example because calls ran out; the connection's state is unchanged
)

// Report contains the findings of a verification, so far.
type Report struct {
	Result Result `json:"result" enum:"running,connected,degraded,refused,incomplete" doc:"The result; see docs/verification.md."`
	// Revision is the revision of the connection's settings, if it is stored.
	Revision int64 `json:"connection_revision,omitempty" doc:"The verified revision of the connection."`
	// Before is the connection's state before the verification.
	Before store.ConnectionState `json:"before,omitempty" doc:"The connection's state before."`
	// State is the connection's state afterwards; empty if it did not change.
	State  store.ConnectionState `json:"connection_state,omitempty" doc:"The connection's state afterwards."`
	Checks []Check               `json:"checks" doc:"The checks in order."`
	// Job is the test candidate's job; Person and Workflow are its IDs in iCIMS.
	Job      int64         `json:"job,omitempty" doc:"The job that the test candidate was sent to."`
	Person   int64         `json:"person,omitempty" doc:"The test candidate in iCIMS."`
	Workflow int64         `json:"workflow,omitempty" doc:"The test candidate's workflow."`
	Batch    store.BatchID `json:"batch,omitempty" doc:"The batch of the test candidate."`
	// Profile is what the verification learned about the customer's iCIMS.
	Profile store.TenantProfile `json:"profile,omitzero" doc:"What the verification learned about the customer's iCIMS."`
}

// Read decodes the report of a control task. It is empty until a worker starts the task.
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

// end ends the report of a verification that was not completed.
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

// Worst returns the most severe check: the first failed one, else the first warned one, else false.
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

// Verification is a verification's control task as shown to users and programs.
type Verification struct {
	store.ControlView

	Asks   Args   `json:"asks" doc:"The request."`
	Report Report `json:"report" doc:"The results so far."`
}

// View returns the public view of a verification's control task.
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
