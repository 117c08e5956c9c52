package client

import (
	"errors"
	"time"

	"github.com/seekout/icims-export/tasks/input"
)

// A *Problem matches these errors.
var (
	// ErrBatchConflict: the idempotency key belongs to a batch with another target, other options
	// or other rows. Nothing was accepted.
	ErrBatchConflict = errors.New("the idempotency key belongs to another batch")
	// ErrNoBatch: the batch does not exist, or its results have expired.
	ErrNoBatch = errors.New("no such batch, or its results have expired")
	// ErrNoConnection: the customer has no connection to iCIMS.
	ErrNoConnection = errors.New("the customer has no connection")
	// ErrTooManyWaiting: the customer has reached its limit of waiting candidates.
	ErrTooManyWaiting = errors.New("the customer has reached its limit of waiting candidates")
	// ErrStoreFull: Redis's memory is nearly full, so no candidates are accepted.
	ErrStoreFull = errors.New("the store is nearly full, so no candidates are accepted")
)

// Receipt is the result of submitted candidates.
type Receipt struct {
	Batch string `json:"batch"`
	// Accepted counts the candidates of this request in the batch; Again counts those that an
	// earlier request with the same idempotency key had already added.
	Accepted int `json:"accepted"`
	Again    int `json:"again"`
	// Known means an earlier request with the same idempotency key opened the batch.
	Known bool `json:"known"`
	// Dummies counts accepted candidates that got a dummy address.
	Dummies int `json:"dummies"`
	// RefusedRows counts all refused rows; Refused lists the first 1,000.
	RefusedRows int             `json:"refused_rows"`
	Refused     []input.Refusal `json:"refused"`
	// Warnings are about accepted rows.
	Warnings []input.RepeatedWarning `json:"warnings"`
	// MoreRefused and MoreWarned count rows beyond the lists.
	MoreRefused int `json:"more_refused"`
	MoreWarned  int `json:"more_warned"`

	// Forecast is nil if no export of the batch is in progress.
	Forecast *Forecast `json:"forecast"`
	// Waits are sentences about what blocks the customer's exports.
	Waits []string `json:"waits"`
	// JobTitle is empty if the cached job list does not have it.
	JobTitle string `json:"job_title"`
	// JobWarning warns that the job is not on the customer's portals, so it may be wrong; "" for
	// none.
	JobWarning string `json:"job_warning"`
}

// Batch is the state of a batch.
type Batch struct {
	ID        string    `json:"batch"`
	Job       int64     `json:"job"` // 0: prospects
	Opened    time.Time `json:"opened"`
	Closed    time.Time `json:"closed"` // zero while candidates are still submitted
	Ended     time.Time `json:"ended"`  // zero while any export is in progress
	Accepted  int       `json:"accepted"`
	Refused   int       `json:"refused"`
	Created   int       `json:"created"`
	Updated   int       `json:"updated"`
	Skipped   int       `json:"skipped"`
	Dead      int       `json:"dead"`
	Cancelled int       `json:"cancelled"`
	Calls     int       `json:"calls"` // iCIMS API calls so far
	// WithoutWorkflow counts profiles whose exports to a job died or were canceled before the
	// workflow was created.
	WithoutWorkflow int `json:"profiles_without_workflow"`
	// Abandoned means the producer stopped sending without closing the batch. Send it again with
	// the same idempotency key to add missing rows.
	Abandoned bool `json:"abandoned"`

	GenerateDummyEmails       bool `json:"generate_dummy_emails"`
	IncludePreviouslyExported bool `json:"include_previously_exported"`
	Test                      bool `json:"test"` // part of a verification

	JobTitle string `json:"job_title"` // if the cached job list has it
	InWork   int    `json:"moving"`    // exports that have not ended
	// Forecast is nil if no export of the batch is in progress, and in lists.
	Forecast *Forecast `json:"forecast"`
	// Waits are sentences about what blocks the customer's exports, while the batch is in progress.
	Waits []string `json:"waits"`
}

// Over reports whether the batch has ended.
func (b Batch) Over() bool { return !b.Closed.IsZero() && b.InWork == 0 }

// Forecast is when a batch will be done, and how many iCIMS calls that takes.
type Forecast struct {
	Calls     int       `json:"calls_to_go"`       // remaining calls of the batch
	Ahead     int       `json:"calls_before_done"` // including those of other batches before its end
	LeftToday int       `json:"calls_left_today"`  // of the customer
	PerDay    int       `json:"calls_per_day"`
	Resets    time.Time `json:"resets"` // when the daily quota resets
	Done      time.Time `json:"done"`   // zero: unknown
	Waits     string    `json:"waits"`  // reason why no calls are made now, except for a used-up quota
	Until     time.Time `json:"until"`  // end of the wait; zero: unknown
}

// Cancellation counts the exports of a cancellation by result.
type Cancellation struct {
	Cancelled int `json:"cancelled"` // their candidates' data was deleted
	// PeopleLeft counts canceled exports whose person already exists in iCIMS, without the
	// remaining steps, such as the workflow on a job.
	PeopleLeft int `json:"people_left"`
	// Busy exports are running or have an unconfirmed write. They finish, or can be canceled later.
	Busy  int `json:"busy"`
	Dead  int `json:"dead"`  // dead letters, which can be discarded instead
	Ended int `json:"ended"` // exports that had finished before
}

// ErasureReceipt lists what was erased of a candidate. It names no candidate.
type ErasureReceipt struct {
	// Reference stands for the candidate. It is the same for each erasure of the candidate, so the
	// erasure can be proven later.
	Reference string    `json:"reference"`
	Customer  string    `json:"customer"`
	At        time.Time `json:"at"`
	// Complete means nothing is left. Otherwise an export is in progress: erase again.
	Complete bool `json:"complete"`
	// Cancelled exports had not started or waited for a retry.
	Cancelled   int `json:"cancelled"`
	DeadLetters int `json:"dead_letters"` // discarded
	// Ended exports stay in the batches' counts, and RefusedRows in their lists, without any
	// candidate data.
	Ended       int `json:"ended"`
	RefusedRows int `json:"refused_rows"`
	// Marker is set if the candidate had a success marker.
	Marker bool `json:"marker"`
	// People are the candidate's profiles in iCIMS. They are not deleted there.
	People []int64 `json:"people"`
	// InWork lists exports that cannot be erased yet.
	InWork []ExportInWork `json:"in_work"`
}

// ExportInWork is an export that a worker holds, or that has an unconfirmed write.
type ExportInWork struct {
	Batch  string `json:"batch"`
	Export string `json:"export"`
	State  string `json:"state"`
}
