package api

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"time"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/internal/prose"
	"github.com/seekout/icims-export/store"
)

// CandidatePath is a candidate in a path. Inputs embed it.
type CandidatePath struct {
	CustomerPath

	Candidate string `path:"candidate" pattern:"^[A-Za-z0-9][A-Za-z0-9._:~-]*$" maxLength:"128" doc:"The candidate's ID, as submitted." example:"c-000123"`
}

func (s *Server) registerCandidates() {
	const customer, candidate = "/v1/customers/{customer}", "/v1/customers/{customer}/candidates/{candidate}"
	tags := []string{"candidates"}
	register(s, op{
		ID: "look-up-exported", Method: http.MethodPost, Path: customer + "/exported", Scope: ScopeRead, Tags: tags,
		Summary: "Look up exported candidates", Description: "For up to 1,000 candidates at once. The response omits candidates that were not exported.",
	}, s.lookUpExported)
	register(s, op{
		ID: "get-candidate", Method: http.MethodGet, Path: candidate, Scope: ScopeRead, Tags: tags, Errors: []Code{CodeNoCandidate, CodeCannotOpen},
		Summary: "Get a candidate", Description: "The candidate's exports with their timelines in sentences and their state.",
	}, s.getCandidate)
	register(s, op{
		ID: "erase-candidate", Method: http.MethodDelete, Path: candidate, Scope: ScopeAdmin, Changes: true, Tags: tags, Errors: []Code{CodeInWork},
		Summary: "Erase a candidate",
		Description: "Erases the candidate's data, timelines, export record and ID. Waiting exports are canceled and dead letters discarded; counts do not change. " +
			"An export with an unconfirmed write is kept: the response is `in_work`, everything else is erased. Repeat the request later. " +
			"The profile in iCIMS stays; the customer must delete it. Erasing an unknown candidate succeeds.",
	}, s.eraseCandidate)
}

type lookUpExportedInput struct {
	CustomerPath

	Body struct {
		Candidates []string `json:"candidates" minItems:"1" maxItems:"1000" doc:"IDs as submitted."`
	}
}

// Exported is an earlier export of a candidate.
type Exported struct {
	Candidate  string             `json:"candidate"`
	ExportedAt time.Time          `json:"exported_at" doc:"Time of the last export, to the second."`
	Person     int64              `json:"person" doc:"iCIMS's ID of the profile."`
	Link       string             `json:"link,omitempty" doc:"The profile's URL."`
	Workflows  []ExportedWorkflow `json:"workflows" doc:"The person's workflows, by job."`
}

// ExportedWorkflow is an exported candidate's workflow on a job.
type ExportedWorkflow struct {
	Job      int64 `json:"job"`
	Workflow int64 `json:"workflow"`
}

// ExportedList lists exported candidates.
type ExportedList struct {
	Exported []Exported `json:"exported" doc:"The exported candidates, in the order of the request."`
}

type lookUpExportedOutput struct{ Body ExportedList }

func (s *Server) lookUpExported(ctx context.Context, in *lookUpExportedInput) (*lookUpExportedOutput, error) {
	markers, err := s.Ledger.Candidates.Markers(ctx, in.Customer, in.Body.Candidates)
	if err != nil {
		return nil, err
	}
	links := s.Admin.Connections.Links(ctx, in.Customer)
	out := ExportedList{Exported: make([]Exported, 0, len(markers))}
	for _, candidate := range in.Body.Candidates {
		m, ok := markers[candidate]
		if !ok {
			continue
		}
		delete(markers, candidate) // once, even if requested twice
		e := Exported{Candidate: candidate, ExportedAt: m.ExportedAt.UTC(), Person: m.Person, Link: links.Person(m.Person), Workflows: []ExportedWorkflow{}}
		for _, job := range slices.Sorted(maps.Keys(m.Workflows)) {
			e.Workflows = append(e.Workflows, ExportedWorkflow{job, m.Workflows[job]})
		}
		out.Exported = append(out.Exported, e)
	}
	return &lookUpExportedOutput{out}, nil
}

type getCandidateInput struct {
	CandidatePath

	Words bool `query:"words" doc:"Include iCIMS's messages, which may contain personal data. Requires the operate scope. Viewing is recorded in the audit log."`
}

type getCandidateOutput struct{ Body admin.CandidateTimeline }

func (s *Server) getCandidate(ctx context.Context, in *getCandidateInput) (*getCandidateOutput, error) {
	if !in.Words {
		return s.tellCandidate(ctx, in)
	}
	// iCIMS's messages may repeat personal data, which a key for reading results need not see.
	if !principalOf(ctx).Has(ScopeOperate) {
		return nil, problem(CodeScopeMissing, "Reading iCIMS's messages requires the operate scope. Without words=true, the read scope is enough.")
	}
	noteOf(ctx).Why = "with iCIMS's own words"
	return loggedAct(ctx, s, func() (*getCandidateOutput, error) { return s.tellCandidate(ctx, in) })
}

func (s *Server) tellCandidate(ctx context.Context, in *getCandidateInput) (*getCandidateOutput, error) {
	story, err := s.Admin.CandidateTimeline(ctx, in.Customer, in.Candidate, admin.TimelineWriter{Words: in.Words, Clock: prose.UTC})
	switch {
	case err != nil:
		return nil, err
	case !story.Known():
		return nil, problem(CodeNoCandidate, "")
	}
	return &getCandidateOutput{story}, nil
}

type eraseCandidateInput struct {
	CandidatePath

	Why string `query:"why" minLength:"1" maxLength:"200" pattern:"\\S" required:"true" doc:"The reason, such as a ticket number, recorded in the audit log. It must not name the candidate: URLs are logged."`
}

type eraseCandidateOutput struct{ Body store.ErasureReceipt }

// eraseRetryAfter is the Retry-After for exports in progress: the settle time.
const eraseRetryAfter = 90 * time.Second

func (s *Server) eraseCandidate(ctx context.Context, in *eraseCandidateInput) (*eraseCandidateOutput, error) {
	receipt, err := s.Admin.Erase(ctx, in.Customer, in.Candidate, store.EraseOptions{Who: principalOf(ctx).Name, Why: in.Why})
	if err != nil {
		return nil, err
	}
	if !receipt.Complete {
		return nil, newProblem(CodeInWork, fmt.Sprintf("%d exports of the candidate are in work; %d others were erased (reference %s).",
			len(receipt.InWork), receipt.Cancelled+receipt.DeadLetters+receipt.Ended, receipt.Reference)).after(eraseRetryAfter)
	}
	return &eraseCandidateOutput{receipt}, nil
}
