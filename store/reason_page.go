package store

import (
	"fmt"
	"slices"
	"strings"
)

// meanings are the longer explanations of reasons.
var meanings = map[Reason]string{
	ReasonExportedBefore: "The candidate has a success marker: an earlier export created or updated the person in this customer's iCIMS, for whatever job. The worker makes no call.",
	ReasonEmailBusy:      "A customer's exports with the same email address run one after another, so that they share one profile.",
	ReasonClaimHeld:      "Another worker has claimed the export, and its lease has not expired.",
	ReasonClaimUnrenewed: "The worker was frozen or overloaded, or Redis did not answer it. Another worker may have taken over. A create is sent only under a recently renewed claim, so this one was not sent.",
	ReasonWriteSettling:  "A create was sent and no response arrived: a timeout, a reset connection, or a 5xx after sending. The create may have taken effect, so it is never repeated blindly.",
	ReasonBreakerOpen:    "The circuit breaker is open: too many recent calls failed through iCIMS's own fault.",
	ReasonRedisWentBack:  "Redis was restored from a copy, failed over or was emptied, so creates of the last seconds may not be recorded. Creates wait for the settle time after a worker noticed; by then iCIMS's search shows every person created before.",
	ReasonRetryThrottled: "Each retry takes a token and each success returns some. No tokens are left, because most retries fail.",
	ReasonPeopleHidden:   "Verification created its test candidate and no search found it. Every candidate who already exists in iCIMS would get a second profile. Nothing is created until a verification finds the test candidate.",
	ReasonNoConnection:   "The customer has no connection in the store or in the connections file, or the connection was rejected.",
	ReasonPaused:         "Exports that are making calls finish; all others wait. `icims-export lanes` shows who paused, why and until when.",
	ReasonNoPermit:       "Redis grants every call, so that all processes together keep the limits. Without a response from Redis no call is made.",
	ReasonShuttingDown:   "The worker stopped, or stopped serving the customer (as for a pause), and returned the export to the queue. It does not count as an attempt.",
	ReasonPanicked:       "The code of icims-export panicked. The log contains no candidate data.",
	ReasonInternal:       "A failure without a reason code of its own.",
	ReasonJobNotFound:    "iCIMS says that the job does not exist. The job is read once before the first profile of a batch is created. If it is deleted later, profiles may exist without a workflow: the batch counts them, and a retry continues from there.",
	ReasonBudgetSpent:    "The first failure is older than the retry budget (`ICIMS_EXPORT_RETRY_BUDGET`). The export's timeline shows the failures.",
	ReasonPayloadSealed:  "The candidate was sealed with a key that the worker's keyset lacks.",
	ReasonPayloadMissing: "Redis has the export's record but not the candidate's data. Redis lost the data, or it was deleted.",
	ReasonForged:         "The record's target, options, candidate or email differ from the accepted ones. Nothing was sent to iCIMS.",
	ReasonPayloadBroken:  "The data was opened, but is not a valid candidate.",
	ReasonCancelled:      "`icims-export cancel` ended the export while it waited, and purged the candidate's data. Sending the batch again with its idempotency key does not revive it.",
	ReasonErased:         "`icims-export erase` or the API erased all data of the candidate. Exports that had ended still count; waiting ones were canceled.",
	ReasonTransferred:    "An operator sent the candidate of a dead letter to another job, with `icims-export dead transfer`, the console or the API. This export ends, and an export in a new batch replaces it. A person who was already created is not created again.",
	ReasonSettled:        "The job of the dead letter did not exist. A later batch exported the same candidate to a job, so the dead letter ended and cannot be retried by mistake.",
	ReasonDummyTaken:     "Every generated dummy address already belongs to a person in iCIMS.",

	ReasonEmailUnreadable: "A search for the email found people whose email iCIMS hides, so the worker cannot tell which one is the candidate. The only hit of an exact search counts as the candidate. No profile is created in doubt.",
	ReasonEmailAmbiguous:  "iCIMS's exact search may be case-sensitive, so the worker reads up to 200 addresses that contain the candidate's. There are more. No profile is created in doubt.",
	ReasonPersonVanished:  "The search returned a person who, according to iCIMS, does not exist. No profile is created in doubt.",
	ReasonLinkUnreadable:  "A search found no workflow for the person and job. Before creating one, the worker also reads it by person and job, and could not read the response.",

	"icims_bad_request":       "The client rejected the call because its arguments are invalid. Nothing was sent.",
	"icims_refused":           "A 4xx response without a more specific code.",
	"icims_field_required":    "Error code 1: the request lacked a required field.",
	"icims_field_refused":     "Error code 4 about a field that the export needs. Optional fields are left out instead, with a warning.",
	"icims_not_found":         "Error code 2. A 404 without iCIMS's own code is `icims_bad_answer`. A person who disappears between read and update is looked up again.",
	"icims_access_denied":     "A 403 response from iCIMS. If other calls of the customer succeeded within the last minute, the export is repeated. After a second such response and a successful search, a single right is missing, and the export becomes a dead letter. Otherwise iCIMS blocks the account or this service's address, and the customer's exports wait. A 404 with code 3 is about one record, and its export becomes a dead letter.",
	"icims_credentials":       "A 401 response from iCIMS, or code 6. All exports of the customer wait. A probe after a minute, then with backoff up to an hour, checks for a fix. Changed credentials are tried at once.",
	"icims_search_refused":    "iCIMS refuses the search for the candidate's email, for example because the filter is hidden from the account. All exports of the customer wait as for `icims_credentials`, and the connection is `access_denied`. If other calls of the customer succeeded within the last minute, only this export waits: it retries with backoff, and becomes a dead letter when its retry budget is spent.",
	"icims_not_authorized":    "iCIMS answers \"The provided Username is not Authorized to access Web Services\", with any status: the credentials are right, but the user may not use the API. All exports of the customer wait as for `icims_credentials`, and the connection is `access_denied`.",
	"icims_intercepted":       "A 4xx response without iCIMS's marks (the header `X-Transaction`, an error in iCIMS's format, a challenge that names iCIMS's scheme). It comes from a proxy, firewall or gateway. Safe calls are repeated; a create is settled by a look-up. The export becomes a dead letter when this lasts for the whole retry budget.",
	"icims_conflict":          "A 409 response from iCIMS.",
	"icims_request_too_large": "A 413 response from iCIMS.",
	"icims_rate_limited":      "A 429 response while the day's calls are not used up. The pause grows with each 429. Calls then start at half the rate, without a burst, and recover within minutes.",
	"icims_quota_exhausted":   "The day's calls (UTC) are used up, by this service's count or by iCIMS's own.",
	"icims_server_error":      "A 5xx response to a call that may be repeated. For a create the reason is `write_settling`.",
	"icims_not_supported":     "A 501 or 505 response from iCIMS.",
	"icims_redirected":        "A 3xx response. The worker never follows redirects, so credentials go nowhere else. A redirect with iCIMS's marks makes a dead letter; any other is treated as `icims_intercepted`.",
	"icims_timeout":           "No response within `ICIMS_EXPORT_CALL_TIMEOUT`, or a 408, for a call that may be repeated.",
	"icims_unreachable":       "No connection could be opened. Nothing was sent.",
	"icims_address_refused":   "The host is neither iCIMS's nor listed in `ICIMS_EXPORT_ICIMS_HOSTS`, or it resolves to an address that is not public and not listed in `ICIMS_EXPORT_ICIMS_PRIVATE_ADDRESSES`. No connection was opened.",
	"icims_tls":               "The certificate or the protocol version was not accepted.",
	"icims_connection_lost":   "The connection broke during a call that may be repeated.",
	"icims_bad_answer":        "The response is not in iCIMS's format: HTML, truncated JSON, or a create without the new record's address.",
	"icims_answer_too_large":  "The response exceeds the size limit.",
	"icims_canceled":          "The call was canceled before iCIMS answered, usually because the worker stopped.",
	"icims_call_refused":      "A guard in front of the call blocked it without a reason code of its own.",
	"icims_token_server":      "The OAuth host failed, so the call could not be made.",
	"icims_token_throttled":   "The OAuth host limits token requests.",
	"icims_auth_unavailable":  "The credentials could not be applied to the request.",
}

// Meaning returns the longer explanation of the reason, or "" for an unknown code.
// Names of settings and commands are in backquotes.
func (r Reason) Meaning() string { return meanings[r] }

var effectTitles = []struct {
	effect Effect
	title  string
	text   string
}{
	{EffectSkip, "Skips", "The export has ended. No action is needed."},
	{EffectWait, "Waits", "The export returns to the queue automatically. Failed attempts retry with backoff until the retry budget is spent. Waits that are not the export's fault do not count as attempts."},
	{EffectDead, "Dead letters", "The export failed permanently. It is kept, with the candidate's sealed data, until an operator retries or discards it: `icims-export dead list`, `dead show`, `dead retry`, `dead discard`."},
	{EffectEnd, "Canceled", "An operator or the API ended the export. Its outcome is kept like any other."},
}

// ErrorsPage renders docs/errors.md.
func ErrorsPage() string {
	var b strings.Builder
	b.WriteString(`# Reasons

<!-- Written by "go test ./store -run TestErrorsPage -update"; changes by hand are lost. -->

Each skipped, waiting or failed export has one of these reason codes. Codes are stable; new ones may be added. Codes that begin with
` + "`icims_`" + ` come from a call to iCIMS. ` + "`icims-export show CUSTOMER CANDIDATE`" + ` shows the timeline of a candidate's exports.

| code | what happened | effect |
| --- | --- | --- |
`)
	all := Reasons()
	slices.Sort(all)
	for _, r := range all {
		names := make([]string, 0, 2)
		for _, e := range r.Effects() {
			names = append(names, string(e))
		}
		fmt.Fprintf(&b, "| [`%s`](#%s) | %s | %s |\n", r, r, r.Info().Title, strings.Join(names, ", sometimes "))
	}
	for _, kind := range effectTitles {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n", kind.title, kind.text)
		for _, r := range all {
			known := r.Effects()
			if len(known) == 0 || known[0] != kind.effect {
				continue
			}
			fmt.Fprintf(&b, "\n### `%s`\n\n**%s.**", r, capital(r.Info().Title))
			if len(known) > 1 {
				fmt.Fprintf(&b, " Sometimes a %s.", known[1])
			}
			fmt.Fprintf(&b, "\n%s\n\nRemedy: %s\n", meanings[r], r.Info().Hint)
		}
	}
	return b.String()
}

// capital capitalizes the first letter of a sentence, except for the name iCIMS.
func capital(s string) string {
	if s == "" || strings.HasPrefix(s, "iCIMS") {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
