package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// JobState is the known state of a job in iCIMS, shared by all processes.
type JobState string

// The states of a job.
const (
	JobUnread     JobState = ""
	JobReading    JobState = "reading"    // a process is reading it
	JobThere      JobState = "there"      // it exists
	JobMissing    JobState = "missing"    // iCIMS reports that it does not exist
	JobUnreadable JobState = "unreadable" // the account may not read it
)

const (
	// jobKept is how long a job is not read again. Each created workflow extends it.
	jobKept = 10 * time.Minute
	// jobReadAtMost is when another process may read the job, in case the first one crashed.
	jobReadAtMost = time.Minute
)

// BeginJobRead returns the known state of a job. If that is JobUnread, the caller must read the job
// and call NoteJob; until then, other callers get JobReading.
func (l *Ledger) BeginJobRead(ctx context.Context, customer string, job int64) (JobState, error) {
	key := jobStateKey(customer, job)
	mine, err := l.redis.SetNX(ctx, key, string(JobReading), jobReadAtMost).Result()
	if err != nil {
		return JobUnread, fmt.Errorf("begin to read a job: %w", err)
	}
	if mine {
		return JobUnread, nil
	}
	state, err := l.redis.Get(ctx, key).Result()
	if errors.Is(err, redis.Nil) {
		return JobReading, nil // just expired: ask again
	}
	if err != nil {
		return JobUnread, fmt.Errorf("read the state of a job: %w", err)
	}
	return JobState(state), nil
}

// RecordJob records the state of a job. JobUnread lets the next caller read it.
func (l *Ledger) RecordJob(ctx context.Context, customer string, job int64, state JobState) error {
	key := jobStateKey(customer, job)
	var err error
	if state == JobUnread {
		err = l.redis.Del(ctx, key).Err()
	} else {
		err = l.redis.Set(ctx, key, string(state), jobKept).Err()
	}
	if err != nil {
		return fmt.Errorf("record the state of a job: %w", err)
	}
	return nil
}

// settledLetters returns the candidate's dead letters that a workflow for the claim's batch
// settles, each with its timeline entry.
func (l *base) settledLetters(c *Claim, f Finish) ([]any, error) {
	if f.To != Done || f.Workflow == 0 {
		return nil, nil
	}
	var args []any
	for _, export := range c.wrongJob {
		entry := Entry{At: time.Now(), What: "settled", Findings: []string{fmt.Sprintf("Batch %s has exported the candidate to %s", c.Batch, placeName(f.Job))}}
		sealed, err := l.sealEntry(Ref{c.Customer, export}, &entry)
		if err != nil {
			return nil, err
		}
		args = append(args, export, sealed)
	}
	return args, nil
}

// exportsOf splits a list of exports.
func exportsOf(list string) []string {
	return slices.DeleteFunc(strings.Split(list, ","), func(id string) bool { return id == "" })
}
