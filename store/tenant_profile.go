package store

import (
	"slices"
	"strings"
	"time"
)

// TenantProfile is what verification has found out about a customer's iCIMS: behavior that no page of
// iCIMS documents, and that exports depend on. The zero value is that of a connection that was never
// verified; then exports make the safest choice everywhere, which costs calls.
type TenantProfile struct {
	// VerifiedAt is when the last verification that found it out ended, in Unix milliseconds; 0 for
	// never.
	VerifiedAt int64 `json:"verified_at,omitempty"`
	// SearchOr: a search for several addresses, one filter each in a group with the operator "|", finds
	// the last one as well. Unless it is Yes, each address is looked up in a call of its own.
	SearchOr Answer `json:"search_or,omitempty"`
	// SeesPeople: a search finds the test candidate, so the account may see people.
	SeesPeople Answer `json:"sees_people,omitempty"`
	// SearchLag is how long it took until a search found the test candidate.
	SearchLag time.Duration `json:"search_lag,omitempty"`
	// Nobody is what a search without a hit answers.
	Nobody NobodyShape `json:"nobody,omitempty"`
	// NobodyCode is the code of that answer's errors, where it is NobodyIsErrors; -1 where they have no
	// readable one. Code 2 means nobody in any case.
	NobodyCode int `json:"nobody_code,omitempty"`
	// IgnoresCase: the exact operator finds an address in another spelling.
	IgnoresCase Answer `json:"ignores_case,omitempty"`
	// StatusID is the node id of the connection's status, where the status was given by its label.
	StatusID string `json:"status_id,omitempty"`
	// KeepsStatus: the test candidate's workflow was in the connection's status when it was read back.
	KeepsStatus Answer `json:"keeps_status,omitempty"`
	// ReadsPair: GET applicantworkflows/person/{person}/job/{job} finds the test candidate's workflow.
	ReadsPair Answer `json:"reads_pair,omitempty"`
	// FindsPair: a search for workflows by person and job finds the test candidate's. Asked where
	// ReadsPair is No.
	FindsPair Answer `json:"finds_pair,omitempty"`
	// SeesFolder: the folder came back when the test candidate was read.
	SeesFolder Answer `json:"sees_folder,omitempty"`
	// TestPerson is the test candidate in iCIMS, so that the next verification sends no other one.
	TestPerson int64 `json:"test_person,omitempty"`
	// TestJob is the job that it was put on.
	TestJob int64 `json:"test_job,omitempty"`
	// Missing are the fields that iCIMS took and that were not there when the test candidate was read
	// back, comma separated.
	Missing string `json:"missing,omitempty"`
}

// SettleTime is how long after a write whose answer was lost a search surely finds what it made: the
// deployment's settle time, and more where searches of this tenant lag behind.
func (p TenantProfile) SettleTime(deployment time.Duration) time.Duration {
	return max(deployment, 2*min(p.SearchLag, MaxSearchLag))
}

// MaxSearchLag is the longest lag that is believed and waited for.
const MaxSearchLag = 5 * time.Minute

// Answer is what is known of a question.
type Answer string

// The answers; empty for a question that nobody has asked yet.
const (
	Yes Answer = "yes"
	No  Answer = "no"
)

// AnswerOf is Yes or No.
func AnswerOf(yes bool) Answer {
	if yes {
		return Yes
	}
	return No
}

// NobodyShape is what a search without a hit answers; empty for not known.
type NobodyShape string

// The shapes.
const (
	NobodyIsEmptyList NobodyShape = "empty_list" // an array without entries
	NobodyIsErrors    NobodyShape = "errors"     // an object "errors", as in a sample of iCIMS's
)

// missingFields lists the fields that did not arrive.
func (p TenantProfile) missingFields() []string {
	return slices.DeleteFunc(strings.Split(p.Missing, ","), func(s string) bool { return s == "" })
}
