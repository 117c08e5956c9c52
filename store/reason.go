package store

import (
	"strings"
)

// Reason is why an export was skipped, put off or given up: a stable code from
// a closed set. Codes that begin with "icims_" are those of the API client.
type Reason string

// ReasonInfo explains a reason to a person.
type ReasonInfo struct {
	Title string // what happened, in a few words
	Hint  string // what to do about it
}

// The reasons of this service itself.
const (
	ReasonExportedBefore Reason = "exported_before"

	ReasonEmailBusy      Reason = "email_busy"
	ReasonClaimHeld      Reason = "claim_held"
	ReasonClaimUnrenewed Reason = "claim_unrenewed"
	ReasonWriteSettling  Reason = "write_settling"
	ReasonBreakerOpen    Reason = "breaker_open"
	ReasonRetryThrottled Reason = "retry_throttled"
	ReasonRedisWentBack  Reason = "redis_went_back"
	ReasonNoConnection   Reason = "no_connection"
	ReasonPaused         Reason = "paused"
	ReasonNoPermit       Reason = "no_permit"
	ReasonShuttingDown   Reason = "shutting_down"
	ReasonInternal       Reason = "internal_error"
	ReasonPanicked       Reason = "panicked"

	ReasonJobNotFound   Reason = "job_not_found"
	ReasonBudgetSpent   Reason = "retry_budget_spent"
	ReasonPayloadSealed Reason = "payload_sealed"
	ReasonPayloadBroken Reason = "payload_broken"
	// ReasonPayloadMissing is that of exports whose data is not in Redis any more.
	ReasonPayloadMissing Reason = "payload_missing"
	// ReasonForged is that of exports whose record was changed in Redis.
	ReasonForged     Reason = "record_forged"
	ReasonDummyTaken Reason = "dummy_taken"

	// ReasonEmailUnreadable, ReasonEmailAmbiguous and ReasonPersonVanished are those of exports whose
	// look-up cannot tell whether the candidate is in iCIMS already, ReasonLinkUnreadable of those that
	// may be on the job already.
	ReasonEmailUnreadable Reason = "email_unreadable"
	ReasonEmailAmbiguous  Reason = "email_ambiguous"
	ReasonPersonVanished  Reason = "person_vanished"
	ReasonLinkUnreadable  Reason = "link_unreadable"
	// ReasonPeopleHidden is that of exports whose connection cannot search for people.
	ReasonPeopleHidden Reason = "people_hidden"

	ReasonCancelled Reason = "cancelled"
	ReasonErased    Reason = "erased"
	// ReasonTransferred is that of dead letters whose candidate goes on as another export.
	ReasonTransferred Reason = "transferred"
	// ReasonSettled is that of dead letters of a wrong job whose candidate a later batch exported.
	ReasonSettled Reason = "settled"
)

const (
	hintNothing = "Nothing to do"
	hintAgain   = "; it is tried again with growing pauses."
)

var reasons = map[Reason]ReasonInfo{
	ReasonExportedBefore: {"exported before", hintNothing + ". To send the candidate again, export with \"include previously exported\"."},
	ReasonEmailBusy:      {"another export works on the same e-mail", hintNothing + "; it follows when that one ends."},
	ReasonClaimHeld:      {"another worker holds the export", hintNothing + "; it is taken over should that worker have died."},
	ReasonClaimUnrenewed: {"the worker could not renew its claim in time", hintNothing + "; it goes on in a moment. If it lasts, look at the load of the worker's machine, and of Redis."},
	ReasonWriteSettling:  {"the answer to a write was lost", hintNothing + "; after a pause iCIMS is searched, and the write adopted or repeated."},
	ReasonBreakerOpen:    {"iCIMS keeps failing, so calls are suspended", hintNothing + "; a probe is sent now and then. If it lasts, look at iCIMS's status page."},
	ReasonRedisWentBack:  {"Redis lost its last writes, or may have", hintNothing + "; exports go on after the settle time, with new look-ups."},
	ReasonRetryThrottled: {"most retries fail, so they are held back", hintNothing + "; first attempts go on, and retries as soon as some succeed."},
	ReasonPeopleHidden:   {"searches do not show people to the account", "Ask the customer's iCIMS administrator to let the integration user see people in searches, then verify the connection; the exports wait."},
	ReasonNoConnection:   {"the customer has no usable connection", "Add or correct the connection (icims-export connection, or the connections file); the exports wait."},
	ReasonPaused:         {"an operator has paused the customer's exports", "Resume them with icims-export resume, or wait until the pause is over."},
	ReasonNoPermit:       {"Redis did not answer, so no call was allowed", hintNothing + "; it goes on when Redis answers."},
	ReasonShuttingDown:   {"handed back, as its worker stopped or its customer was paused", hintNothing + "; another worker, or the next start, goes on."},
	ReasonPanicked:       {"this service failed while it handled the export", "Look for \"recovered a panic\" in the worker's log and report it with its stack. The export is tried three times; retry it once a version with the fix runs."},
	ReasonInternal:       {"an unexpected fault of this service", "Look for the export's id in the worker's log; it is tried again."},
	ReasonJobNotFound:    {"the job does not exist or cannot be seen", "Check the job's system id and that the integration user may see the job, then retry; if the job was the wrong one, send the dead letters to the right one (icims-export dead transfer, or the console)."},
	ReasonBudgetSpent:    {"iCIMS failed for longer than the retry budget", "Retry when iCIMS answers again."},
	ReasonPayloadSealed:  {"the candidate's data cannot be opened", "The sealing key is missing from the keyset: add it and retry, or send the batch again with the same idempotency key, then retry."},
	ReasonPayloadMissing: {"the candidate's data is missing in Redis", "Send the batch again with the same idempotency key, which restores the data, then retry."},
	ReasonForged:         {"the export's record was changed in Redis, so nothing was sent", "Find out who can write to Redis. Then export the candidate again in a new batch, and discard this dead letter."},
	ReasonPayloadBroken:  {"the candidate's data cannot be read", "Export the candidate again."},
	ReasonDummyTaken:     {"no free dummy address was found", "Retry; if it happens again, choose another domain for dummy addresses."},
	ReasonCancelled:      {"an operator cancelled the export", hintNothing + ". To send the candidate after all, export it in a new batch."},
	ReasonTransferred:    {"an operator sent the candidate to another job", hintNothing + "; the candidate goes on in another batch, which the export's story names."},
	ReasonSettled:        {"a later batch exported the candidate to a job", hintNothing + "; the export's story names the batch."},
	ReasonErased:         {"the candidate was erased", hintNothing + ". Nothing is kept of the candidate here; a profile in iCIMS is the customer's to delete."},

	ReasonEmailUnreadable: {"people were found whose e-mail cannot be read", "Ask the customer's iCIMS administrator to let the integration user read people's e-mail addresses, then retry."},
	ReasonEmailAmbiguous:  {"too many e-mail addresses in iCIMS contain the candidate's", "Search for the e-mail in iCIMS. If the candidate is there, put them on the job by hand and discard the dead letter; otherwise export them with another address."},
	ReasonPersonVanished:  {"a search finds a person who cannot be read", "Retried with growing pauses. If it ends as a dead letter, look the candidate's e-mail up in iCIMS, and check any gateway in front of it, then retry."},
	ReasonLinkUnreadable:  {"iCIMS does not tell whether the candidate is on the job", "Retried with growing pauses. If it ends as a dead letter, verify the connection again, then retry."},

	"icims_bad_request":       {"a call could not be made", "This is a fault of this service; report it with the export's id."},
	"icims_refused":           {"iCIMS refused the request", "Look at its status and codes; iCIMS support can find the call by its transaction id."},
	"icims_field_required":    {"the tenant requires a field that was not sent", "Ask the customer's iCIMS administrator to lift the requirement for the integration user, then retry."},
	"icims_field_refused":     {"iCIMS refuses the content of a field", "Correct the named field, or its name in the connection, then retry."},
	"icims_not_found":         {"iCIMS has no such record", "The person was removed in iCIMS meanwhile: export the candidate again."},
	"icims_access_denied":     {"iCIMS denies access", "Ask iCIMS to give the integration user the right, or to allow-list this service's addresses, then retry."},
	"icims_credentials":       {"iCIMS refuses the user name or password", "Put the right credentials into the connection; its exports wait until then."},
	"icims_not_authorized":    {"the user may not use iCIMS's API", "The user name and password are right. Ask iCIMS to authorize the API user for web services (the Integration User group); the customer's exports wait until then."},
	"icims_intercepted":       {"something other than iCIMS answered", "If it lasts, check every proxy, firewall and gateway between the workers and iCIMS, and ask iCIMS to allow-list this service's addresses; the export is tried again with growing pauses."},
	"icims_conflict":          {"iCIMS says that the record exists already", "Look the candidate's e-mail up in iCIMS; the integration user may be unable to see that profile."},
	"icims_request_too_large": {"the candidate's data is too large for iCIMS", "Shorten the candidate's history and export again."},
	"icims_rate_limited":      {"iCIMS asked to slow down", hintNothing + "; it goes on when iCIMS allows."},
	"icims_quota_exhausted":   {"the day's calls are used up", hintNothing + "; it goes on after midnight UTC. More calls a day can be bought from iCIMS."},
	"icims_server_error":      {"iCIMS failed", hintNothing + hintAgain},
	"icims_not_supported":     {"iCIMS does not support the call", "This is a fault of this service; report it with the export's id."},
	"icims_redirected":        {"iCIMS, or something in between, redirected the call", "Check the host in the connection's portal URLs, and any proxy in between; a redirect that is not iCIMS's is tried again with growing pauses."},
	"icims_timeout":           {"iCIMS did not answer in time", hintNothing + hintAgain},
	"icims_unreachable":       {"iCIMS cannot be reached", "If it lasts, check the network, and the host in the connection's portal URLs."},
	"icims_address_refused":   {"the host is at no address that may be called", "Check the host in the connection's portal URLs and who answers for its name; an address that is not public is allowed with ICIMS_EXPORT_ICIMS_PRIVATE_ADDRESSES."},
	"icims_tls":               {"the connection to iCIMS is not secure", "Check for a proxy in between, and the machine's certificates and clock."},
	"icims_connection_lost":   {"the connection to iCIMS broke", hintNothing + hintAgain},
	"icims_bad_answer":        {"iCIMS answered unintelligibly", hintNothing + hintAgain},
	"icims_answer_too_large":  {"iCIMS's answer is too large", hintNothing + hintAgain},
	"icims_canceled":          {"the call was given up", hintNothing + "; it is made again."},
	"icims_call_refused":      {"the call was held back", hintNothing + "; it is made later."},
	"icims_token_server":      {"iCIMS's sign-in host failed", hintNothing + hintAgain},
	"icims_token_throttled":   {"iCIMS's sign-in host asked to slow down", hintNothing + hintAgain},
	"icims_auth_unavailable":  {"the request could not be signed", "Check the connection's credentials."},
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
	if info, ok := r.verifyInfo(); ok {
		return info
	}
	return ReasonInfo{Title: string(r), Hint: "A newer version of this service recorded it; see its documentation."}
}

// verifyMark begins the reasons of connections that are codes of verifications. They
// are no reasons of exports.
const verifyMark = "verify_"

// VerifyReason is the code of a verification as a connection's state and history tell
// it.
func VerifyReason(code string) Reason { return Reason(verifyMark + code) }

// verifyInfo explains such a reason by its code.
func (r Reason) verifyInfo() (ReasonInfo, bool) {
	code, ok := strings.CutPrefix(string(r), verifyMark)
	return ReasonInfo{
		Title: "its verification found: " + strings.ReplaceAll(code, "_", " "),
		Hint:  "Look at the verification, or verify it again: docs/verification.md explains `" + code + "`.",
	}, ok
}
