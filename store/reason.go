package store

import (
	"strings"
)

// Reason is why an export was skipped, is waiting or is a dead letter: a stable code from a closed
// set. Codes that begin with "icims_" come from the API client.
type Reason string

// ReasonInfo explains a reason to a user.
type ReasonInfo struct {
	Title string // what happened, in a few words
	Hint  string // what to do about it
}

// The reasons of this service.
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
	// ReasonPayloadMissing: the export's data is not in Redis.
	ReasonPayloadMissing Reason = "payload_missing"
	// ReasonForged: the export's record was changed in Redis.
	ReasonForged     Reason = "record_forged"
	ReasonDummyTaken Reason = "dummy_taken"

	// ReasonEmailUnreadable, ReasonEmailAmbiguous and ReasonPersonVanished: the look-up cannot tell
	// whether the candidate is already in iCIMS. ReasonLinkUnreadable: it cannot tell whether the
	// candidate is already on the job.
	ReasonEmailUnreadable Reason = "email_unreadable"
	ReasonEmailAmbiguous  Reason = "email_ambiguous"
	ReasonPersonVanished  Reason = "person_vanished"
	ReasonLinkUnreadable  Reason = "link_unreadable"
	// ReasonPeopleHidden: the connection cannot search for people.
	ReasonPeopleHidden Reason = "people_hidden"

	ReasonCancelled Reason = "cancelled"
	ReasonErased    Reason = "erased"
	// ReasonTransferred: the dead letter's candidate continues in another export.
	ReasonTransferred Reason = "transferred"
	// ReasonSettled: a later batch exported the candidate of a dead letter with a wrong job.
	ReasonSettled Reason = "settled"
)

const (
	hintNothing = "No action needed"
	hintAgain   = ". The export retries with backoff."
)

var reasons = map[Reason]ReasonInfo{
	ReasonExportedBefore: {"exported before", hintNothing + ". To send the candidate again, or to another job, export with --include-exported (console: Include previously exported candidates)."},
	ReasonEmailBusy:      {"another export with the same email is in progress", hintNothing + ". The export starts when that one ends."},
	ReasonClaimHeld:      {"another worker holds the export", hintNothing + ". If that worker died, another one takes over."},
	ReasonClaimUnrenewed: {"the worker did not renew its claim in time", hintNothing + ". The export retries shortly. If this persists, check the load of the worker's machine and of Redis."},
	ReasonWriteSettling:  {"the response to a write was lost", hintNothing + ". After the settle time the worker searches iCIMS, then adopts or repeats the write."},
	ReasonBreakerOpen:    {"iCIMS keeps failing, so calls are suspended", hintNothing + ". The worker probes iCIMS regularly. If this persists, check iCIMS's status page."},
	ReasonRedisWentBack:  {"Redis lost, or may have lost, recent writes", hintNothing + ". Exports resume after the settle time, with new look-ups."},
	ReasonRetryThrottled: {"most retries fail, so retries are throttled", hintNothing + ". First attempts continue. Retries resume when some succeed."},
	ReasonPeopleHidden:   {"the account cannot find people by search", "Ask the customer's iCIMS administrator to let the integration user see people in searches, then verify the connection. Exports wait until then."},
	ReasonNoConnection:   {"the customer has no usable connection", "Add or correct the connection (icims-export connection, or the connections file). Exports wait until then."},
	ReasonPaused:         {"an operator has paused the customer's exports", "Resume with icims-export resume, or wait until the pause ends."},
	ReasonNoPermit:       {"Redis did not answer the rate limiter", hintNothing + ". The export continues when Redis answers."},
	ReasonShuttingDown:   {"returned to the queue because the worker stopped or the customer was paused", hintNothing + ". Another worker, or the next start, picks it up."},
	ReasonPanicked:       {"the worker panicked while handling the export", "Find \"recovered a panic\" in the worker's log and report it with its stack. The export is tried three times. Retry it once you run a version with the fix."},
	ReasonInternal:       {"an unexpected internal error", "Search the worker's log for the export's id. The export retries."},
	ReasonJobNotFound:    {"the job does not exist or cannot be seen", "Check the job's system id and that the integration user may see the job, then retry. If the job was wrong, transfer the dead letters to the right one (icims-export dead transfer, or the console)."},
	ReasonBudgetSpent:    {"iCIMS failed for longer than the retry budget", "Retry when iCIMS works again."},
	ReasonPayloadSealed:  {"the candidate's data cannot be opened", "The keyset lacks the sealing key. Add the key, or send the batch again with the same idempotency key; then retry."},
	ReasonPayloadMissing: {"the candidate's data is missing in Redis", "Send the batch again with the same idempotency key, which restores the data, then retry."},
	ReasonForged:         {"the export's record was changed in Redis, so nothing was sent", "Find out who can write to Redis. Then export the candidate again in a new batch, and discard this dead letter."},
	ReasonPayloadBroken:  {"the candidate's data cannot be read", "Export the candidate again."},
	ReasonDummyTaken:     {"no free dummy address was found", "Retry. If it happens again, choose another domain for dummy addresses."},
	ReasonCancelled:      {"an operator canceled the export", hintNothing + ". To send the candidate after all, export it in a new batch."},
	ReasonTransferred:    {"an operator sent the candidate to another job", hintNothing + ". The export's timeline names the batch that continues with the candidate."},
	ReasonSettled:        {"a later batch exported the candidate to a job", hintNothing + ". The export's timeline names the batch."},
	ReasonErased:         {"the candidate was erased", hintNothing + ". No data of the candidate is kept here. The customer has to delete a profile in iCIMS."},

	ReasonEmailUnreadable: {"a search found people whose email cannot be read", "Ask the customer's iCIMS administrator to let the integration user read people's email addresses, then retry."},
	ReasonEmailAmbiguous:  {"too many email addresses in iCIMS contain the candidate's", "Search for the email in iCIMS. If the candidate exists, add them to the job by hand and discard the dead letter. Otherwise export them with another address."},
	ReasonPersonVanished:  {"a search found a person who cannot be read", "The export retries with backoff. If it ends as a dead letter, search iCIMS for the candidate's email and check any gateway in front of it, then retry."},
	ReasonLinkUnreadable:  {"iCIMS does not show whether the candidate is on the job", "The export retries with backoff. If it ends as a dead letter, verify the connection again, then retry."},

	"icims_bad_request":       {"the call to iCIMS was invalid", "This is a bug in icims-export. Report it with the export's id."},
	"icims_refused":           {"iCIMS refused the request", "Check the status and codes. iCIMS support can find the call by its transaction id."},
	"icims_field_required":    {"the tenant requires a field that was not sent", "Ask the customer's iCIMS administrator to lift the requirement for the integration user, then retry."},
	"icims_field_refused":     {"iCIMS refuses the value of a field", "Correct the named field, or its name in the connection, then retry."},
	"icims_not_found":         {"iCIMS has no such record", "The person was deleted in iCIMS. Export the candidate again."},
	"icims_access_denied":     {"iCIMS denies access", "Ask iCIMS to give the integration user the right, or to allow-list this service's addresses, then retry."},
	"icims_credentials":       {"iCIMS refuses the user name or password", "Put the right credentials into the connection. Its exports wait until then."},
	"icims_not_authorized":    {"the user may not use iCIMS's API", "The user name and password are right. Ask iCIMS to authorize the API user for web services (the Integration User group). The customer's exports wait until then."},
	"icims_search_refused":    {"iCIMS refuses to search people by email", "Ask the customer's iCIMS administrator to let the integration user search people by email, then verify the connection. The customer's exports wait until then."},
	"icims_intercepted":       {"something other than iCIMS answered", "The export retries with backoff. If this persists, check every proxy, firewall and gateway between the workers and iCIMS, and ask iCIMS to allow-list this service's addresses."},
	"icims_conflict":          {"iCIMS says that the record already exists", "Search iCIMS for the candidate's email. The integration user may be unable to see that profile."},
	"icims_request_too_large": {"the candidate's data is too large for iCIMS", "Shorten the candidate's history and export again."},
	"icims_rate_limited":      {"iCIMS rate-limited the call", hintNothing + ". The export continues when iCIMS allows."},
	"icims_quota_exhausted":   {"the day's calls are used up", hintNothing + ". Exports continue after midnight UTC. iCIMS sells a higher daily limit."},
	"icims_server_error":      {"iCIMS failed", hintNothing + hintAgain},
	"icims_not_supported":     {"iCIMS does not support the call", "This is a bug in icims-export. Report it with the export's id."},
	"icims_redirected":        {"iCIMS or a proxy redirected the call", "Check the host in the connection's portal URLs, and any proxy in between. A redirect that is not from iCIMS is retried with backoff."},
	"icims_timeout":           {"iCIMS did not answer in time", hintNothing + hintAgain},
	"icims_unreachable":       {"iCIMS cannot be reached", "If this persists, check the network, and the host in the connection's portal URLs."},
	"icims_address_refused":   {"the host's address is not allowed", "Check the host in the connection's portal URLs and its DNS records. To allow an address that is not public, set ICIMS_EXPORT_ICIMS_PRIVATE_ADDRESSES."},
	"icims_tls":               {"the connection to iCIMS is not secure", "Check for a proxy in between, and the machine's certificates and clock."},
	"icims_connection_lost":   {"the connection to iCIMS broke", hintNothing + hintAgain},
	"icims_bad_answer":        {"iCIMS sent an invalid response", hintNothing + hintAgain},
	"icims_answer_too_large":  {"iCIMS's response is too large", hintNothing + hintAgain},
	"icims_canceled":          {"the call was canceled", hintNothing + ". The worker makes the call again."},
	"icims_call_refused":      {"the call was held back", hintNothing + ". The worker makes the call later."},
	"icims_token_server":      {"iCIMS's sign-in host failed", hintNothing + hintAgain},
	"icims_token_throttled":   {"iCIMS's sign-in host rate-limited the request", hintNothing + hintAgain},
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

// Info explains the reason. The title of an unknown code is the code.
func (r Reason) Info() ReasonInfo {
	if info, ok := reasons[r]; ok {
		return info
	}
	if info, ok := r.verifyInfo(); ok {
		return info
	}
	return ReasonInfo{Title: string(r), Hint: "A newer version of icims-export recorded it. See the documentation of that version."}
}

// verifyMark is the prefix of connection reasons that are codes of verifications. Exports do not
// have them.
const verifyMark = "verify_"

// VerifyReason returns a verification code as a reason, for the state and history of a connection.
func VerifyReason(code string) Reason { return Reason(verifyMark + code) }

// verifyInfo explains such a reason.
func (r Reason) verifyInfo() (ReasonInfo, bool) {
	code, ok := strings.CutPrefix(string(r), verifyMark)
	return ReasonInfo{
		Title: "verification found: " + strings.ReplaceAll(code, "_", " "),
		Hint:  "See the verification, or verify again. docs/verification.md explains `" + code + "`.",
	}, ok
}
