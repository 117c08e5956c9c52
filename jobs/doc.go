// Package jobs keeps the lists of the customers' jobs: what is posted on the portals
// of a connection, with titles, so that somebody can choose where candidates go.
//
// iCIMS lists ids only, 1,000 to a call, and wants one more call for each title, of
// the 10,000 or so that a customer has a day. So a list is kept ([store.JobList]), a
// title is read once and again only when the job has changed, and no more than a
// share of the day is spent on it ([Share]). Until a title was read, the address of
// the job's public page gives one that will do.
//
// [Refresh] reads the list, in a worker, as a control task. [Lister] answers from what is
// kept, asks for a refresh when that has become old, and says how it stands.
package jobs
