package api

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/store"
)

// AuditReport is the result of a consistency check of a customer.
type AuditReport struct {
	Clean   bool        `json:"clean" doc:"No violations were found."`
	Counts  AuditCounts `json:"counts"`
	Worker  bool        `json:"worker" doc:"A worker re-enqueues overdue exports."`
	Seconds float64     `json:"seconds" doc:"Duration of the check in seconds."`
	// Violations lists up to 1,000 violations per kind.
	Violations      []store.Violation `json:"violations" doc:"The first 1,000 violations. A stream sends violations before the result, the first 1,000 of each kind."`
	ViolationsFound int               `json:"violations_found" doc:"Number of violations."`
}

// AuditCounts are the totals of a customer's exports.
type AuditCounts struct {
	Batches   int `json:"batches"`
	Accepted  int `json:"accepted" doc:"The sum of the other counts."`
	Done      int `json:"done"`
	Skipped   int `json:"skipped"`
	Dead      int `json:"dead"`
	Cancelled int `json:"cancelled"`
	Moving    int `json:"moving"`
	Expired   int `json:"expired" doc:"Exports of old batches whose results were deleted."`
	Markers   int `json:"markers" doc:"Records of exported candidates."`
}

// AuditLine is a line of the check's stream. It has exactly one of these fields.
type AuditLine struct {
	Auditing  *float64         `json:"auditing,omitempty" doc:"In progress: seconds so far."`
	Violation *store.Violation `json:"violation,omitempty" doc:"A violation."`
	Result    *AuditReport     `json:"result,omitempty" doc:"The last line of a complete check."`
	Problem   *Problem         `json:"problem,omitempty" doc:"The last line of an incomplete check."`
}

const (
	shownViolations = 1000
	// auditBeat is how often a running check writes a progress line.
	auditBeat  = 5 * time.Second
	ndjsonType = "application/x-ndjson"
)

func (s *Server) audit(w http.ResponseWriter, r *http.Request) {
	if err := readQuery(r).err(); err != nil {
		s.refuse(w, r, err)
		return
	}
	select {
	case s.auditing <- struct{}{}:
		defer func() { <-s.auditing }()
	default:
		s.refuse(w, r, newProblem(CodeBusy, "A check is already running.").after(redisRetryAfter))
		return
	}
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(s.stopping, cancel)()
	customer := []string{r.PathValue("customer")}
	if strings.Contains(r.Header.Get("Accept"), ndjsonType) {
		w.Header().Set("Content-Type", ndjsonType)
		lines := lineWriter{w}
		noMore := lines.keepAlive(cancel)
		defer noMore() // after a panic, too: nothing may be written once the handler has returned
		result, err := s.Admin.Check(ctx, customer, store.DefaultCheckOptions())
		noMore()
		s.endAudit(lines, r, result, err)
		return
	}
	result, err := s.Admin.Check(ctx, customer, store.DefaultCheckOptions())
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = lineWriter{w}.write(reportOf(result, shownViolations)) // the client is gone
}

// keepAlive writes a line every few seconds until the returned function is called, which may be
// called twice. It calls gone if a write fails.
func (l lineWriter) keepAlive(gone func()) func() {
	enough, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		began, beat := time.Now(), time.NewTicker(auditBeat)
		defer beat.Stop()
		for {
			select {
			case <-enough:
				return
			case <-beat.C:
				seconds := time.Since(began).Round(time.Second).Seconds()
				if l.write(AuditLine{Auditing: &seconds}) != nil {
					gone()
					return
				}
			}
		}
	}()
	return sync.OnceFunc(func() {
		close(enough)
		<-ended
	})
}

func (s *Server) endAudit(lines lineWriter, r *http.Request, result admin.CheckResult, err error) {
	if err != nil {
		p := s.problemOf(r.Context(), err)
		_ = lines.write(AuditLine{Problem: p}) // the client is gone
		return
	}
	for i := range result.Violations {
		if lines.write(AuditLine{Violation: &result.Violations[i]}) != nil {
			return
		}
	}
	report := reportOf(result, 0)
	_ = lines.write(AuditLine{Result: &report}) // as above
}

func reportOf(r admin.CheckResult, most int) AuditReport {
	report := AuditReport{Clean: r.Clean, Worker: r.Worker, Seconds: r.Seconds, ViolationsFound: len(r.Violations) + r.More, Violations: r.Violations[:min(len(r.Violations), most)]}
	for _, a := range r.Customers {
		report.Counts = AuditCounts{
			Batches: a.Batches, Accepted: a.Accepted, Done: a.Done, Skipped: a.Skipped, Dead: a.Dead, Cancelled: a.Cancelled, Moving: a.Moving, Expired: a.Expired, Markers: a.Markers,
		}
	}
	return report
}

// lineWriter writes one JSON value per line and flushes it.
type lineWriter struct{ w http.ResponseWriter }

func (l lineWriter) write(v any) error {
	text, err := json.Marshal(convertTimes(v))
	if err != nil {
		return err
	}
	if _, err := l.w.Write(append(text, '\n')); err != nil {
		return err
	}
	return http.NewResponseController(l.w).Flush()
}
