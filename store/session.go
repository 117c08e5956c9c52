package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Session is a console session opened with an API key. Operators can list and end sessions. The API
// key itself is only in the browser's sealed cookie.
type Session struct {
	ID      string    `json:"id" doc:"The session's ID. It grants no access."`
	Key     string    `json:"key" doc:"The API key's ID."`
	Name    string    `json:"name" doc:"The API key's name."`
	Address string    `json:"address,omitempty" doc:"The IP address of the log-in; for IPv6 its /64 network."`
	Began   time.Time `json:"began" doc:"Time of the log-in."`
	Used    time.Time `json:"used" doc:"Last use, to the minute."`
	Until   time.Time `json:"until" doc:"When the session expires at the latest."`
	// IdleSeconds is how long the session may stay unused.
	IdleSeconds int64 `json:"idle_seconds" doc:"Seconds of inactivity after which the session ends."`
}

// Ended reports whether the session has reached its maximum age or idle time.
func (s Session) Ended(now time.Time) bool {
	return !now.Before(s.Until) || now.Sub(s.Used) >= s.idle()
}

func (s Session) idle() time.Duration { return time.Duration(s.IdleSeconds) * time.Second }

// usedEach is the resolution of the last use. A short idle time needs a finer one.
func (s Session) usedEach() time.Duration {
	const share = 10
	return min(time.Minute, s.idle()/share)
}

// ErrNoSession means that the session does not exist or has ended.
var ErrNoSession = errors.New("no such session")

const (
	sessionIDBytes = apiKeyIDBytes
	// sessionLastUsed is the suffix of a session ID in a field name.
	sessionLastUsed = ":last_used"
	// mostSessions is how many sessions an API key may have. Another one ends the key's session
	// with the oldest last use.
	mostSessions = 100
)

// NewSession records a session and returns it with its ID. It removes ended sessions.
func (l *Access) NewSession(ctx context.Context, s Session) (Session, error) {
	s.ID, s.Used = randomText(sessionIDBytes), s.Began
	sealed, err := l.sealJSON(s, sessionsKey)
	if err != nil {
		return s, err
	}
	if err := l.trimSessions(ctx, s.Key, s.Began); err != nil {
		return s, err
	}
	err = l.essential(ctx, "HSET", sessionsKey, s.ID, sealed, s.ID+sessionLastUsed, s.Began.Unix())
	if err == nil {
		// By then every session has ended.
		err = l.essential(ctx, "EXPIRE", sessionsKey, int64(s.Until.Sub(s.Began)/time.Second))
	}
	if err != nil {
		return s, fmt.Errorf("record session: %w", err)
	}
	return s, nil
}

// UseSession returns a session, or ErrNoSession if it has ended. With touch it records a use.
func (l *Access) UseSession(ctx context.Context, id string, now time.Time, touch bool) (Session, error) {
	values, err := l.redis.HMGet(ctx, sessionsKey, id, id+sessionLastUsed).Result()
	if err != nil {
		return Session{}, fmt.Errorf("read session: %w", err)
	}
	s, err := l.openSession(id, text(values[0]), text(values[1]))
	if err != nil || s.Ended(now) {
		return Session{}, ErrNoSession
	}
	if touch && now.Sub(s.Used) >= s.usedEach() {
		s.Used = now
		err := touchSessionScript.of(l.base).Run(ctx, l.redis, []string{sessionsKey}, id, id+sessionLastUsed, now.Unix()).Err()
		if err != nil {
			return s, fmt.Errorf("record use of session: %w", err)
		}
	}
	return s, nil
}

var touchSessionScript = loadEssentialFleetScript("touch_session")

func (l *base) openSession(id, sealed, used string) (Session, error) {
	var s Session
	data, err := l.keys.Open([]byte(sealed), sessionsKey)
	if err != nil {
		return s, err
	}
	// The sealed record contains the ID, so a record copied to another ID is rejected.
	if err := json.Unmarshal(data, &s); err != nil || s.ID != id {
		return Session{}, ErrSealed
	}
	s.Used = usedAt(used)
	return s, nil
}

// Sessions lists the sessions that have not ended, newest first.
func (l *Access) Sessions(ctx context.Context, now time.Time) ([]Session, error) {
	all, _, err := l.readSessions(ctx, now)
	return all, err
}

// readSessions returns the sessions that have not ended, newest first, and all other fields of the
// hash.
func (l *base) readSessions(ctx context.Context, now time.Time) (all []Session, others []string, err error) {
	fields, err := l.redis.HGetAll(ctx, sessionsKey).Result()
	if err != nil {
		return nil, nil, fmt.Errorf("list sessions: %w", err)
	}
	all = []Session{}
	for id, sealed := range fields {
		if base, isUse := strings.CutSuffix(id, sessionLastUsed); isUse {
			if _, there := fields[base]; !there {
				others = append(others, id)
			}
			continue
		}
		s, err := l.openSession(id, sealed, fields[id+sessionLastUsed])
		if err != nil || s.Ended(now) {
			others = append(others, id, id+sessionLastUsed)
			continue
		}
		all = append(all, s)
	}
	slices.SortFunc(all, func(x, y Session) int {
		if c := y.Began.Compare(x.Began); c != 0 {
			return c
		}
		return strings.Compare(x.ID, y.ID)
	})
	return all, others, nil
}

// EndSession ends a session. It returns ErrNoSession if there is none.
func (l *Access) EndSession(ctx context.Context, id string) error {
	if !validAPIKeyID(id) { // session IDs have the same form
		return ErrNoSession
	}
	n, err := l.redis.HDel(ctx, sessionsKey, id, id+sessionLastUsed).Result()
	switch {
	case err != nil:
		return fmt.Errorf("end session: %w", err)
	case n == 0:
		return ErrNoSession
	}
	return nil
}

// trimSessions removes ended sessions and makes room for another one of the API key.
func (l *base) trimSessions(ctx context.Context, key string, now time.Time) error {
	all, over, err := l.readSessions(ctx, now)
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(s Session) bool { return s.Key != key })
	slices.SortStableFunc(all, func(x, y Session) int { return y.Used.Compare(x.Used) })
	for _, s := range all[min(len(all), mostSessions-1):] {
		over = append(over, s.ID, s.ID+sessionLastUsed)
	}
	if len(over) == 0 {
		return nil
	}
	if err := l.redis.HDel(ctx, sessionsKey, over...).Err(); err != nil {
		return fmt.Errorf("remove sessions: %w", err)
	}
	return nil
}
