package jobs

import (
	"strconv"
	"time"

	"github.com/seekout/icims-export/store"
)

// Job is a job that candidates can be sent to.
type Job struct {
	ID    int64  `json:"id" doc:"The ID to export to." example:"1709"`
	Title string `json:"title" doc:"The job's title." example:"Data Engineer"`
	// Provisional is false if the title comes from iCIMS.
	Provisional bool       `json:"provisional,omitempty" doc:"The title comes from the URL of the job's page, because iCIMS's title has not been read yet or cannot be read."`
	Number      string     `json:"number,omitempty" doc:"The requisition number shown to users." example:"2026-1709"`
	Location    string     `json:"location,omitempty" doc:"The job's location."`
	Updated     *time.Time `json:"updated,omitempty" doc:"The last change in iCIMS."`
}

// ListPage is a page of a customer's job list, with the state of the list.
type ListPage struct {
	ListState

	Jobs  []Job  `json:"jobs" nullable:"false" doc:"The jobs, newest first."`
	Found int    `json:"found" doc:"The number of jobs that match the search."`
	Next  string `json:"next,omitempty" doc:"The cursor of the next page; omitted on the last one."`
}

// ListState is the state of a customer's job list.
type ListState struct {
	Customer string `json:"customer" doc:"The iCIMS customer ID." example:"1234"`
	Total    int    `json:"total" doc:"The number of jobs in the list."`
	// AsOf is nil until the list has been read.
	AsOf       *time.Time   `json:"as_of,omitempty" doc:"When the list was read from iCIMS; omitted until then."`
	Stale      bool         `json:"stale" doc:"The list is too old, or there is none yet."`
	Refreshing bool         `json:"refreshing" doc:"A refresh is waiting or running."`
	Refresh    *ListRefresh `json:"refresh,omitempty" doc:"The progress of the refresh."`
	Titles     ListTitles   `json:"titles" doc:"Jobs without their iCIMS title."`
	Calls      ListCalls    `json:"calls" doc:"The list's iCIMS calls, which count toward the customer's daily limit."`
	// Unreadable are portals of the connection that iCIMS does not return.
	Unreadable []ListProblem `json:"unreadable,omitempty" doc:"Portals of the connection that iCIMS does not return. Their jobs are missing."`
	Problem    *ListProblem  `json:"problem,omitempty" doc:"Why the list is not refreshed, or why the refresh failed."`
}

// ListRefresh is the progress of a refresh.
type ListRefresh struct {
	Asked time.Time  `json:"asked" doc:"When the refresh was requested."`
	Began *time.Time `json:"began,omitempty" doc:"When a worker started it; omitted while it waits."`
	Calls int        `json:"calls" doc:"Calls so far."`
}

// ListTitles counts jobs by the state of their title.
type ListTitles struct {
	Pending     int `json:"pending" doc:"Jobs still to be read."`
	Provisional int `json:"provisional" doc:"Jobs with a provisional title, including those that could not be read."`
}

// ListCalls is the cost of a list in calls.
type ListCalls struct {
	Last  ListCost `json:"last" doc:"Calls of the last refresh."`
	Next  ListCost `json:"next" doc:"Estimated calls of the next refresh."`
	Today int      `json:"today" doc:"Calls for list and titles today (UTC)."`
	Share int      `json:"share" doc:"The daily limit of calls for list and titles (setting jobs_share). Titles beyond it are read on later days."`
}

// ListCost is the cost of one refresh.
type ListCost struct {
	List   int `json:"list" doc:"Calls for the list: one per portal and 1,000 jobs."`
	Titles int `json:"titles" doc:"Calls for titles: one per new or changed job."`
}

// ListProblem is a problem with its remedy.
type ListProblem struct {
	Portal string       `json:"portal,omitempty" doc:"The affected portal."`
	Reason store.Reason `json:"reason" doc:"The reason code; see docs/errors.md."`
	Title  string       `json:"title" doc:"What happened."`
	Remedy string       `json:"remedy" doc:"What to do about it."`
	At     *time.Time   `json:"at,omitempty" doc:"When."`
}

func trouble(reason store.Reason) *ListProblem {
	info := reason.Info()
	t := &ListProblem{Reason: reason, Title: info.Title, Remedy: info.Hint}
	if remedy := remedies[reason]; remedy != "" {
		t.Remedy = remedy
	}
	return t
}

// remedies override the remedies of exports.
var remedies = map[store.Reason]string{
	"icims_not_found":     "Check the portal's id or name in the connection's portal URLs.",
	"icims_access_denied": "Ask iCIMS to let the integration user see the job portal, or to allow-list this service's addresses.",
	"icims_credentials":   "Put the right credentials into the connection, then refresh the jobs.",
	store.ReasonPaused:    "The list is refreshed when the customer's pause ends.",
	store.ReasonInternal:  "Search the worker's log for the control task. The refresh is retried when the jobs are requested again.",
}

func shown(j store.ListedJob) Job {
	job := Job{ID: j.ID, Title: j.Title, Provisional: j.Provisional, Number: j.Number, Location: j.Location}
	if job.Title == "" {
		job.Title = "Job " + strconv.FormatInt(j.ID, 10)
	}
	if !j.Updated.IsZero() {
		job.Updated = &j.Updated
	}
	return job
}
