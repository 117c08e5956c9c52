package store

// Reason is why an export was skipped, held or given up: a stable code from a
// closed set.
type Reason string

// ReasonInfo explains a reason to a person.
type ReasonInfo struct {
	Title string // what happened, in a few words
	Hint  string // what to do about it
}

// The reasons. Each belongs to a skip, to a hold, or to a death.
const (
	ReasonExportedBefore Reason = "exported_before"

	ReasonEmailBusy    Reason = "email_busy"
	ReasonRateLimited  Reason = "rate_limited"
	ReasonQuotaUsedUp  Reason = "quota_used_up"
	ReasonBreakerOpen  Reason = "breaker_open"
	ReasonNoConnection Reason = "no_connection"
	ReasonShuttingDown Reason = "shutting_down"
	ReasonIcimsFault   Reason = "icims_fault"
	ReasonAnswerLost   Reason = "answer_lost"
	ReasonInternal     Reason = "internal"

	ReasonCredentials   Reason = "credentials_rejected"
	ReasonAccessDenied  Reason = "access_denied"
	ReasonFieldRequired Reason = "field_required"
	ReasonFieldRefused  Reason = "field_refused"
	ReasonJobNotFound   Reason = "job_not_found"
	ReasonRefused       Reason = "refused"
	ReasonBudgetSpent   Reason = "retry_budget_spent"
	ReasonSealed        Reason = "payload_sealed"
	ReasonPayload       Reason = "payload_unreadable"
)

var reasons = map[Reason]ReasonInfo{
	ReasonExportedBefore: {"exported before", "Nothing to do. To send the candidate again, export with \"include previously exported\"."},
	ReasonEmailBusy:      {"another export works on the same e-mail", "Nothing to do; it follows as soon as that one ends."},
	ReasonRateLimited:    {"iCIMS asked to slow down", "Nothing to do; it goes on when iCIMS allows."},
	ReasonQuotaUsedUp:    {"the day's calls are used up", "Nothing to do; it goes on after midnight UTC. More calls per day can be bought from iCIMS."},
	ReasonBreakerOpen:    {"iCIMS keeps failing, calls are suspended", "Nothing to do; a probe is sent now and then. Check iCIMS's status page if it lasts."},
	ReasonNoConnection:   {"the customer has no connection", "Add the customer to the connections file; its exports wait."},
	ReasonShuttingDown:   {"the worker was stopped", "Nothing to do; another worker, or the next start, goes on."},
	ReasonIcimsFault:     {"iCIMS failed", "Nothing to do; it is tried again with growing pauses."},
	ReasonAnswerLost:     {"the answer to a write was lost", "Nothing to do; iCIMS is searched after a pause, and the write adopted or repeated."},
	ReasonInternal:       {"an unexpected fault of this service", "Look at the worker's log for the export's id; it is tried again."},
	ReasonCredentials:    {"iCIMS refuses the user name or password", "Put the right credentials into the connection, then retry."},
	ReasonAccessDenied:   {"iCIMS denies access", "Ask iCIMS to give the integration user the right, or to allow-list this service's addresses, then retry."},
	ReasonFieldRequired:  {"the tenant requires a field that was not sent", "Ask the customer's iCIMS administrator to lift the requirement for the integration user, then retry."},
	ReasonFieldRefused:   {"iCIMS refuses a field's content", "Correct the named field or its mapping in the connection, then retry."},
	ReasonJobNotFound:    {"the job does not exist or cannot be seen", "Check the job id, and that the integration user may see the job, then export again."},
	ReasonRefused:        {"iCIMS refused the request", "Look at the status and codes; iCIMS support can find the call by its transaction id."},
	ReasonBudgetSpent:    {"iCIMS failed for longer than the retry budget", "When iCIMS answers again, retry."},
	ReasonSealed:         {"the candidate's data cannot be opened", "The sealing key is missing from the keyset. Add it and retry, or export the candidate again."},
	ReasonPayload:        {"the candidate's data cannot be read", "Export the candidate again."},
}

// Reasons returns all reasons.
func Reasons() []Reason {
	all := make([]Reason, 0, len(reasons))
	for r := range reasons {
		all = append(all, r)
	}
	return all
}

// Info explains the reason. Unknown codes explain themselves as such.
func (r Reason) Info() ReasonInfo {
	if info, ok := reasons[r]; ok {
		return info
	}
	return ReasonInfo{Title: string(r), Hint: "A newer version of this service recorded it; see its documentation."}
}
