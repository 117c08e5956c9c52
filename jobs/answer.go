package jobs

import (
	"strconv"
	"time"

	"github.com/seekout/icims-export/store"
)

// Job is a job that candidates can be sent to.
type Job struct {
	ID    int64  `json:"id" doc:"The id to export to." example:"1709"`
	Title string `json:"title" doc:"Its title." example:"Data Engineer"`
	// Provisional is false if the title comes from iCIMS.
	Provisional bool       `json:"provisional,omitempty" doc:"The title was made from the address of the job's page; iCIMS's own is not read yet, or cannot be."`
	Number      string     `json:"number,omitempty" doc:"The requisition number that people know it by." example:"2026-1709"`
	Location    string     `json:"location,omitempty" doc:"Where it is."`
	Updated     *time.Time `json:"updated,omitempty" doc:"When it last changed in iCIMS."`
}

// ListPage is a page of a customer's job list, with the state of the list.
type ListPage struct {
	ListState

	Jobs  []Job  `json:"jobs" nullable:"false" doc:"The jobs that were found, the newest first."`
	Found int    `json:"found" doc:"How many jobs fit the search."`
	Next  string `json:"next,omitempty" doc:"The cursor of the next page; left out on the last one."`
}

// ListState is the state of a customer's job list.
type ListState struct {
	Customer string `json:"customer" doc:"iCIMS's customer id." example:"1234"`
	Total    int    `json:"total" doc:"How many jobs the list has."`
	// AsOf is nil until the list has been read.
	AsOf       *time.Time   `json:"as_of,omitempty" doc:"When the list was read from iCIMS; left out as long as none was."`
	Stale      bool         `json:"stale" doc:"The list is older than it should be, or there is none yet."`
	Refreshing bool         `json:"refreshing" doc:"It is being read anew, or was asked to be."`
	Refresh    *ListRefresh `json:"refresh,omitempty" doc:"How far that is."`
	Titles     ListTitles   `json:"titles" doc:"How many jobs have no title of iCIMS's yet."`
	Calls      ListCalls    `json:"calls" doc:"What the list costs in calls to iCIMS, which count against the customer's calls a day."`
	// Unreadable are portals of the connection that iCIMS does not return.
	Unreadable []ListTrouble `json:"unreadable,omitempty" doc:"Portals of the connection that iCIMS does not show, so that their jobs are missing."`
	Problem    *ListTrouble  `json:"problem,omitempty" doc:"Why the list is not refreshed, or could not be."`
}

// ListRefresh is the progress of a refresh.
type ListRefresh struct {
	Asked time.Time  `json:"asked" doc:"When it was asked for."`
	Began *time.Time `json:"began,omitempty" doc:"When a worker began; left out while it waits for one."`
	Calls int        `json:"calls" doc:"Calls that it took so far."`
}

// ListTitles counts jobs by the state of their title.
type ListTitles struct {
	Pending     int `json:"pending" doc:"Jobs that are to be read."`
	Provisional int `json:"provisional" doc:"Jobs whose title is provisional, those that could not be read included."`
}

// ListCalls is the cost of a list in calls.
type ListCalls struct {
	Last  ListCost `json:"last" doc:"What the last refresh took."`
	Next  ListCost `json:"next" doc:"What the next one will take, as far as can be told."`
	Today int      `json:"today" doc:"What list and titles have taken today (UTC)."`
	Share int      `json:"share" doc:"What they may take a day (setting jobs_share); titles are left for the next day then."`
}

// ListCost is the cost of one refresh.
type ListCost struct {
	List   int `json:"list" doc:"Calls for the list: one for each portal and 1,000 jobs."`
	Titles int `json:"titles" doc:"Calls for titles: one for each job that is new or has changed."`
}

// ListTrouble is a problem with its remedy.
type ListTrouble struct {
	Portal string       `json:"portal,omitempty" doc:"The portal that it is about."`
	Reason store.Reason `json:"reason" doc:"What happened, for programs: one of docs/errors.md."`
	Title  string       `json:"title" doc:"What happened."`
	Remedy string       `json:"remedy" doc:"What to do about it."`
	At     *time.Time   `json:"at,omitempty" doc:"When."`
}

func trouble(reason store.Reason) *ListTrouble {
	info := reason.Info()
	t := &ListTrouble{Reason: reason, Title: info.Title, Remedy: info.Hint}
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
