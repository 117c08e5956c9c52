// Package jobs keeps the customers' job lists: the jobs posted on the portals of a connection, with
// titles, from which users choose where candidates go.
//
// iCIMS lists only IDs, 1,000 per call, and needs one more call per title, out of about 10,000
// calls a customer has per day. So the list is stored ([store.JobList]), a title is read again only
// after the job has changed, and a refresh uses at most a share of the daily calls ([Share]). Until
// a title is read, it is derived from the URL of the job's public page.
//
// [Refresh] reads the list in a worker, as a control task. [Lister] answers from the stored list,
// requests a refresh when the list is stale, and reports its state.
package jobs
