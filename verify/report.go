// Package verify finds out whether a customer's connection works: check after check,
// and in the end with a test candidate. A worker does it, since the workers' addresses
// are those that iCIMS knows.
package verify

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/seekout/icims-export/store"
)

// Args are what a verification is asked for.
type Args struct {
	// Job is the job that the test candidate is sent to, by its system id; 0 for the
	// first that the portals show.
	Job int64 `json:"job,omitempty"`
	// NoTestCandidate leaves the test candidate out: nothing is written then.
	NoTestCandidate bool `json:"no_test_candidate,omitempty"`
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
}

// Check is what one check has found.
type Check struct {
	Name  Name   `json:"name"`
	Title string `json:"title"`
	// Subject tells checks of one name apart: the portal.
	Subject string `json:"subject,omitempty"`
	State   State  `json:"state"`
	// Code says what is wrong, for programs: one of Codes. Empty for a check that is ok.
	Code Code `json:"code,omitempty"`
	// Cause and Remedy say the same to a person.
	Cause  string `json:"cause,omitempty"`
	Remedy string `json:"remedy,omitempty"`
	// Found is what a check that is ok has seen.
	Found string `json:"found,omitempty"`
	// Calls to iCIMS that it took.
	Calls int           `json:"calls"`
	Took  time.Duration `json:"took_ns,omitempty"`
	// Status and Transaction are iCIMS's, for a support ticket.
	Status      int    `json:"status,omitempty"`
	Transaction string `json:"transaction,omitempty"`
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
	Result Result `json:"result"`
	// Revision is that of the connection's settings, where it is the store's.
	Revision int64 `json:"revision,omitempty"`
	// Before is the connection's state when it began.
	Before store.ConnectionState `json:"before,omitempty"`
	// State is the connection's state after it.
	State  store.ConnectionState `json:"state,omitempty"`
	Checks []Check               `json:"checks"`
	// Job is where the test candidate was sent to; Person and Workflow are its ids.
	Job      int64         `json:"job,omitempty"`
	Person   int64         `json:"person,omitempty"`
	Workflow int64         `json:"workflow,omitempty"`
	Batch    store.BatchID `json:"batch,omitempty"`
}

// Read reads the report of an errand; one that has not begun has none, and checks
// none.
func Read(e store.Errand) (Report, error) {
	r := Report{Result: ResultRunning}
	if len(e.Result) == 0 {
		return r, nil
	}
	if err := json.Unmarshal(e.Result, &r); err != nil {
		return Report{}, fmt.Errorf("the report of verification %s is not readable", e.ID)
	}
	return r, nil
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
