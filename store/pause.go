package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// Pause is an operator's pause of all calls for a customer.
type Pause struct {
	By    string    `json:"by"`
	Why   string    `json:"why"`
	At    time.Time `json:"at"`
	Until time.Time `json:"until,omitzero"` // zero: until resumed
}

// Over reports whether the pause has expired at a time.
func (p Pause) Over(now time.Time) bool { return !p.Until.IsZero() && !now.Before(p.Until) }

func pauseKey(customer string) string { return prefix(customer) + "pause" }

// queuesPaused is set in the pause record once asynq's queues are paused too. The sweep pauses them
// if it is not set.
const queuesPaused = "queues"

// Pause suspends a customer's calls and replaces any earlier pause. Exports in the middle of their
// calls finish; all others wait without using an attempt. An expired pause has no effect.
func (l *Lanes) Pause(ctx context.Context, customer string, p Pause) error {
	if p.At.IsZero() {
		p.At = time.Now()
	}
	by, err := l.keys.Seal([]byte(p.By), pauseKey(customer))
	if err != nil {
		return err
	}
	why, err := l.keys.Seal([]byte(p.Why), pauseKey(customer))
	if err != nil {
		return err
	}
	until := int64(0)
	if !p.Until.IsZero() {
		until = p.Until.UnixMilli()
	}
	// The customer must be listed, even if it has had no batch yet.
	if err := l.essential(ctx, "SADD", customersKey, customer); err != nil {
		return fmt.Errorf("pause: %w", err)
	}
	// Overwrite a previous pause whose expiry may resume the queues right now.
	err = l.essential(ctx, "HSET", pauseKey(customer), "by", by, "why", why, "at", p.At.UnixMilli(), "until", until, queuesPaused, "")
	if err != nil {
		return fmt.Errorf("pause: %w", err)
	}
	// A reader that finds the customer listed without a record removes it from the list.
	if err := l.essential(ctx, "SADD", pausedKey, customer); err != nil {
		return fmt.Errorf("pause: %w", err)
	}
	what, span := "paused", ""
	if !p.Until.IsZero() {
		span = "until " + p.Until.UTC().Format(time.RFC3339)
		what += " " + span
	}
	l.publishChange(ctx, customer)
	return errors.Join(
		l.AuditLog.Act(ctx, customer, Action{At: p.At, Who: p.By, What: what, Why: p.Why}),
		l.notePause(ctx, customer, p.By, p.Why, true),
		l.addEvent(ctx, customer, "paused", span)) // who and why are sealed, in the action
}

// Resume ends a customer's pause; false if there was none.
func (l *Lanes) Resume(ctx context.Context, customer, by, why string) (bool, error) {
	n, err := l.redis.Del(ctx, pauseKey(customer)).Result()
	if err != nil {
		return false, fmt.Errorf("resume: %w", err)
	}
	if n == 0 {
		return false, nil
	}
	return true, errors.Join(
		l.resumeWork(ctx, customer),
		l.AuditLog.Act(ctx, customer, Action{At: time.Now(), Who: by, What: "resumed", Why: why}),
		l.notePause(ctx, customer, by, why, false),
		l.addEvent(ctx, customer, "resumed", ""))
}

// resumeWork resumes the work that waited for the end of a pause.
func (l *base) resumeWork(ctx context.Context, customer string) error {
	// The change is for open lanes, the announcement for closed ones.
	l.publishChange(ctx, customer)
	return l.Lanes.Wake(ctx, customer)
}

// EndPause removes an expired pause. A newer pause stays.
func (l *Lanes) EndPause(ctx context.Context, customer string) error {
	ended, err := endPauseScript.of(l.base).Run(ctx, l.redis, []string{pauseKey(customer)}).Bool()
	if err != nil {
		return fmt.Errorf("end a pause: %w", err)
	}
	if !ended {
		return nil
	}
	return errors.Join(l.resumeWork(ctx, customer), l.addEvent(ctx, customer, "resumed", ""))
}

// PausedCustomers lists customers that have or had a pause. PauseRecord removes those without one
// from the list.
func (l *Lanes) PausedCustomers(ctx context.Context) ([]string, error) {
	customers, err := l.redis.SMembers(ctx, pausedKey).Result()
	if err != nil {
		return nil, fmt.Errorf("list paused customers: %w", err)
	}
	return customers, nil
}

// PauseRecord returns the record of a customer's pause, even if it has expired, and whether asynq's
// queues were paused for it; nil if there is none.
func (l *Lanes) PauseRecord(ctx context.Context, customer string) (p *Pause, queues bool, err error) {
	fields, err := l.redis.HGetAll(ctx, pauseKey(customer)).Result()
	if err != nil {
		return nil, false, fmt.Errorf("read pause: %w", err)
	}
	if len(fields) == 0 { // ended in the meantime
		err = wrapped("unlist a pause", l.redis.SRem(ctx, pausedKey, customer).Err())
	}
	return l.readPause(customer, fields), fields[queuesPaused] != "", err
}

// RecordQueuesPaused records that asynq's queues are paused for the customer's pause.
func (l *Lanes) RecordQueuesPaused(ctx context.Context, customer string) error {
	n, err := l.redis.Exists(ctx, pauseKey(customer)).Result()
	if err == nil && n == 1 {
		err = l.essential(ctx, "HSET", pauseKey(customer), queuesPaused, "1")
	}
	return wrapped("note a pause", err)
}

// PauseOf returns the customer's current pause; nil if there is none.
func (l *Lanes) PauseOf(ctx context.Context, customer string) (*Pause, error) {
	fields, err := l.redis.HGetAll(ctx, pauseKey(customer)).Result()
	if err != nil {
		return nil, fmt.Errorf("read pause: %w", err)
	}
	if len(fields) == 0 {
		return nil, nil //nolint:nilnil // no pause is not an error
	}
	now, err := l.nowAt(ctx, pauseKey(customer))
	if err != nil {
		return nil, err
	}
	p := l.readPause(customer, fields)
	if p.Over(now) {
		return nil, nil //nolint:nilnil // as above
	}
	return p, nil
}

// readPause parses the fields of a pause; nil for none. It leaves out fields this keyset cannot
// open: the pause applies even if its reason is unreadable.
func (l *base) readPause(customer string, fields map[string]string) *Pause {
	if len(fields) == 0 {
		return nil
	}
	words := func(sealed string) string {
		data, err := l.keys.Open([]byte(sealed), pauseKey(customer))
		if err != nil {
			return ""
		}
		return string(data)
	}
	p := &Pause{By: words(fields["by"]), Why: words(fields["why"]), At: millis(fields["at"])}
	if until, err := strconv.ParseInt(fields["until"], 10, 64); err == nil && until != 0 {
		p.Until = time.UnixMilli(until)
	}
	return p
}
