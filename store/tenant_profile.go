package store

import (
	"slices"
	"strings"
	"time"
)

// TenantProfile is the behavior of a customer's iCIMS found by verification: undocumented behavior
// that exports depend on. The zero value belongs to a connection that was never verified. Exports
// then make the safest choice everywhere, which costs calls.
type TenantProfile struct {
	// VerifiedAt is when the last successful verification ended, in Unix milliseconds; 0 for never.
	VerifiedAt int64 `json:"verified_at,omitempty"`
	// SearchOr: a search for several addresses, with one filter each in a group with the operator
	// "|", also finds the last one. Unless it is Yes, each address is looked up in a separate call.
	SearchOr Answer `json:"search_or,omitempty"`
	// SeesPeople: a search finds the test candidate, so the account can see people.
	SeesPeople Answer `json:"sees_people,omitempty"`
	// HeldUntil: until then, in Unix milliseconds, exports wait for a running verification that has
	// not found its test candidate yet; 0: they do not.
	HeldUntil int64 `json:"held_until,omitempty"`
	// SearchLag is how long it took until a search found the test candidate.
	SearchLag time.Duration `json:"search_lag,omitempty"`
	// Nobody is the response to a search without a match.
	Nobody NobodyShape `json:"nobody,omitempty"`
	// NobodyCode is the error code of that response if it is NobodyIsErrors; -1 if it has no
	// readable code. Code 2 always means no match.
	NobodyCode int `json:"nobody_code,omitempty"`
	// IgnoresCase: the exact operator ignores case in addresses.
	IgnoresCase Answer `json:"ignores_case,omitempty"`
	// StatusID is the node ID of the connection's status, if the status was given by its label.
	StatusID string `json:"status_id,omitempty"`
	// KeepsStatus: the test candidate's workflow had the connection's status when read back.
	KeepsStatus Answer `json:"keeps_status,omitempty"`
	// StatusLater: the workflow had it only after a change. Lanes check their first workflow.
	StatusLater Answer `json:"status_later,omitempty"`
	// ReadsPair: GET applicantworkflows/person/{person}/job/{job} finds the test candidate's
	// workflow.
	ReadsPair Answer `json:"reads_pair,omitempty"`
	// FindsPair: a search for workflows by person and job finds the test candidate's. Only checked
	// if ReadsPair is No.
	FindsPair Answer `json:"finds_pair,omitempty"`
	// SeesFolder: the response for the test candidate included the folder.
	SeesFolder Answer `json:"sees_folder,omitempty"`
	// TestPerson is the test candidate in iCIMS, reused by the next verification.
	TestPerson int64 `json:"test_person,omitempty"`
	// TestJob is the job the test candidate was attached to.
	TestJob int64 `json:"test_job,omitempty"`
	// Missing lists the fields that iCIMS accepted but did not return when the test candidate was
	// read back, comma separated.
	Missing string `json:"missing,omitempty"`
}

// SettleTime is how long after an unconfirmed write a search reliably finds its result: the
// deployment's settle time, or longer if this tenant's searches lag.
func (p TenantProfile) SettleTime(deployment time.Duration) time.Duration {
	return max(deployment, 2*min(p.SearchLag, MaxSearchLag))
}

// MaxSearchLag is the longest search lag taken into account.
const MaxSearchLag = 5 * time.Minute

// Answer is the answer to a question.
type Answer string

// The answers; empty if not checked.
const (
	Yes Answer = "yes"
	No  Answer = "no"
)

// AnswerOf returns Yes or No.
func AnswerOf(yes bool) Answer {
	if yes {
		return Yes
	}
	return No
}

// NobodyShape is the form of the response to a search without a match; empty if unknown.
type NobodyShape string

// The forms.
const (
	NobodyIsEmptyList NobodyShape = "empty_list" // an array without entries
	NobodyIsErrors    NobodyShape = "errors"     // an object "errors", as in a sample of iCIMS's
)

// missingFields lists the fields that did not arrive.
func (p TenantProfile) missingFields() []string {
	return slices.DeleteFunc(strings.Split(p.Missing, ","), func(s string) bool { return s == "" })
}
