package store

import (
	"fmt"
	"slices"
	"strings"
)

// meanings say more about a reason than its title has room for.
var meanings = map[Reason]string{
	ReasonExportedBefore: "The candidate has a success marker: an earlier export put the person into this customer's iCIMS. No call is made.",
	ReasonEmailBusy:      "Exports of one e-mail address within a customer go one after the other, so that they make one profile and not two.",
	ReasonClaimHeld:      "A worker has a claim on the export, with a lease that has not run out.",
	ReasonClaimUnrenewed: "The worker was frozen or overloaded, or Redis did not answer it, so another one may have taken the export over meanwhile. A create is sent only under a claim that was renewed lately; this one was not sent.",
	ReasonWriteSettling:  "A create was sent and its answer never arrived: a time-out, a reset connection, or a 5xx after sending. It may or may not have taken effect, so it is never repeated blindly.",
	ReasonBreakerOpen:    "So many of the last calls failed through iCIMS's own fault that sending more would only add to the trouble.",
	ReasonRedisWentBack:  "Redis was restored from a copy, failed over or was emptied, so who was created in the last seconds may not be recorded. Nothing is created before iCIMS's search shows everybody who was: the settle time after a worker noticed.",
	ReasonRetryThrottled: "Each retry takes a token and each success gives some back. There are none left: most of what is retried fails again.",
	ReasonPeopleHidden:   "Verification created its test candidate and no search found it. Every candidate who is in iCIMS already would get a second profile, so nothing is created until a verification finds the test candidate.",
	ReasonNoConnection:   "The customer has a connection neither in the store nor in the connections file, or it was refused.",
	ReasonPaused:         "Exports in the middle of their calls finish; all others wait. `icims-export lanes` tells who paused, why and until when.",
	ReasonNoPermit:       "Permits for calls are given by Redis, so that all processes together keep the limits. Without an answer of Redis no call is made.",
	ReasonShuttingDown:   "The worker stopped, or stopped serving the customer, as for a pause, and handed the export back first. No attempt is counted.",
	ReasonPanicked:       "The code of this service panicked. Nothing of the candidate is logged.",
	ReasonInternal:       "Something failed that no other reason names.",
	ReasonJobNotFound:    "iCIMS says that the job does not exist. The job is read once before the first profile of a batch is created. If it is deleted later, profiles may exist without a workflow: the batch counts them, and a retry goes on from there.",
	ReasonBudgetSpent:    "The first failure was longer ago than the retry budget (`ICIMS_EXPORT_RETRY_BUDGET`). The story of the export tells what failed.",
	ReasonPayloadSealed:  "The candidate was sealed with a key that the worker's keyset lacks.",
	ReasonPayloadMissing: "Redis has the export's record but not the candidate's data. Redis lost it, or somebody deleted it.",
	ReasonForged:         "The record names another target, option, candidate or e-mail than the candidate was accepted with. Nothing was sent to iCIMS.",
	ReasonPayloadBroken:  "The sealed data was opened, but is no candidate.",
	ReasonCancelled:      "`icims-export cancel` ended the export while it waited; the candidate's data is purged. A batch that is sent again with its idempotency key leaves it so.",
	ReasonErased:         "`icims-export erase`, or a call of the API, erased all that was kept of the candidate. What had ended keeps its place in the counts; what waited was cancelled.",
	ReasonTransferred:    "An operator sent a dead letter's candidate to another job, by `icims-export dead transfer`, the console or the API. The export ends, and one of a new batch takes its place; a person who was made already is not made again.",
	ReasonSettled:        "The job of the dead letter did not exist. A batch that was sent later has exported the same candidate to a job, so the dead letter has ended and cannot be retried by mistake.",
	ReasonDummyTaken:     "Every dummy address that was drawn belongs to somebody in iCIMS.",

	ReasonEmailUnreadable: "A search for the e-mail finds people whom iCIMS shows without their e-mail, so nobody can tell which of them is the candidate. A single hit of an exact search is taken for the candidate. No profile is created in doubt.",
	ReasonEmailAmbiguous:  "iCIMS's exact search may heed upper and lower case, so addresses that contain the candidate's are read, up to 200 of them. There are more. No profile is created in doubt.",
	ReasonPersonVanished:  "The search returned a person, and iCIMS says that this person does not exist. No profile is created in doubt.",
	ReasonLinkUnreadable:  "A search finds no workflow of the person and job. Before one is created, it is asked for by person and job as well, and that answer could not be read.",

	"icims_bad_request":       "The client refused to make the call, since its arguments cannot be right. Nothing was sent.",
	"icims_refused":           "A 4xx answer without a code that says more.",
	"icims_field_required":    "Error code 1: a field is required that the request lacked.",
	"icims_field_refused":     "Error code 4 about a field that the export cannot do without. Fields that can be left out are left out, with a warning.",
	"icims_not_found":         "Code 2. A 404 without iCIMS's own code is no answer, see `icims_bad_answer`. A person who vanishes between being read and being updated is looked up anew.",
	"icims_access_denied":     "A 403 answer of iCIMS. Where other calls of the customer worked within the last minute it is about one right, and the export becomes a dead letter; where none did it is about the account or this service's address, and the customer's exports wait. A 404 with code 3 is about one record, and makes its export a dead letter.",
	"icims_credentials":       "A 401 answer of iCIMS, or code 6. All exports of the customer wait; a call after a minute, then after ever longer pauses up to an hour, finds out whether it has been fixed. A connection with other credentials is tried at once.",
	"icims_not_authorized":    "iCIMS says \"The provided Username is not Authorized to access Web Services\", with whatever status: the credentials are right, and the user may not use the API. All exports of the customer wait as for `icims_credentials`, and the connection is `access_denied`.",
	"icims_intercepted":       "A 4xx answer that bears none of iCIMS's marks (the header `X-Transaction`, an error in iCIMS's form, a challenge that names iCIMS's scheme), so it comes from a proxy, firewall or gateway. It closes nothing and ends nothing: a call that may be repeated is repeated, a create is settled by a look-up. The export becomes a dead letter when it lasts for the whole retry budget.",
	"icims_conflict":          "A 409 answer of iCIMS.",
	"icims_request_too_large": "A 413 answer of iCIMS.",
	"icims_rate_limited":      "A 429 answer while calls are left for the day.",
	"icims_quota_exhausted":   "The day's calls (UTC) are spent, by this service's count or by iCIMS's own.",
	"icims_server_error":      "A 5xx answer to a call that may be repeated. To a create it is `write_settling`.",
	"icims_not_supported":     "A 501 or 505 answer of iCIMS.",
	"icims_redirected":        "A 3xx answer. Redirects are never followed, so that credentials go nowhere else. One that bears iCIMS's marks makes a dead letter; any other is treated as `icims_intercepted`.",
	"icims_timeout":           "No answer within `ICIMS_EXPORT_CALL_TIMEOUT`, or a 408, for a call that may be repeated.",
	"icims_unreachable":       "No connection could be made, so nothing was sent.",
	"icims_address_refused":   "The host is not one of iCIMS's or of `ICIMS_EXPORT_ICIMS_HOSTS`, or its name leads to an address that is not public and not listed in `ICIMS_EXPORT_ICIMS_PRIVATE_ADDRESSES`. No connection was opened.",
	"icims_tls":               "The certificate or the protocol version was not accepted.",
	"icims_connection_lost":   "The connection broke during a call that may be repeated.",
	"icims_bad_answer":        "The answer was not what iCIMS answers: HTML, cut-off JSON, or a create without the address of what it made.",
	"icims_answer_too_large":  "The answer was over the limit up to which answers are read.",
	"icims_canceled":          "The call was given up before it was answered, most often because the worker stops.",
	"icims_call_refused":      "Something in front of the call refused it without a reason of its own.",
	"icims_token_server":      "The OAuth host failed, so the call could not be made.",
	"icims_token_throttled":   "The OAuth host wants fewer token requests.",
	"icims_auth_unavailable":  "The request could not be signed.",
}

// Meaning says more about the reason than its title has room for; "" where there is no
// more to say. Names of settings and commands stand between backquotes.
func (r Reason) Meaning() string { return meanings[r] }

var effectTitles = []struct {
	effect Effect
	title  string
	text   string
}{
	{EffectSkip, "Skips", "The export has ended, and nothing needs to be done."},
	{EffectWait, "Waits", "The export comes back by itself. A failed attempt is followed by a growing pause, until the retry budget is spent; what is no fault of the export is not counted as an attempt."},
	{EffectDead, "Dead letters", "The export was given up and is kept, with the candidate's sealed data, until somebody retries or discards it: `icims-export dead list`, `dead show`, `dead retry`, `dead discard`."},
	{EffectEnd, "Cancelled", "The export was ended from outside. Its outcome is kept like any other."},
}

// ErrorsPage renders docs/errors.md.
func ErrorsPage() string {
	var b strings.Builder
	b.WriteString(`# Reasons

<!-- Written by "go test ./store -run TestErrorsPage -update"; changes by hand are lost. -->

Why an export was skipped, waits or was given up is always one of the codes below. They are stable, and new ones may come. Codes that begin with
` + "`icims_`" + ` are about a call to iCIMS. ` + "`icims-export show CUSTOMER CANDIDATE`" + ` tells the whole story of a candidate's exports.

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
			fmt.Fprintf(&b, "\n%s\n\nWhat to do: %s\n", meanings[r], strings.Replace(r.Info().Hint, hintNothing, "nothing", 1))
		}
	}
	return b.String()
}

// capital begins a sentence; the name of iCIMS stays as it is.
func capital(s string) string {
	if s == "" || strings.HasPrefix(s, "iCIMS") {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
