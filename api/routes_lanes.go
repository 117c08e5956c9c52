package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/seekout/icims-export/operate"
	"github.com/seekout/icims-export/store"
)

func (s *Server) registerLanes() {
	register(s, op{
		ID: "list-lanes", Method: http.MethodGet, Path: "/v1/lanes", Scope: ScopeRead, Tags: []string{"lanes"},
		Summary:     "Show how customers stand",
		Description: "What waits, calls made and left, and why anything is held back: of the key's customers, ordered by customer, page by page.",
	}, s.listLanes)
	register(s, op{
		ID: "get-lane", Method: http.MethodGet, Path: "/v1/customers/{customer}/lane", Scope: ScopeRead, Tags: []string{"lanes"},
		Summary:     "Show how a customer stands",
		Description: "Also its open batches with the time when they will be done, and what happened last.",
	}, s.getLane)
	register(s, op{
		ID: "pause-lane", Method: http.MethodPost, Path: "/v1/customers/{customer}/lane/pause", Scope: ScopeOperate, Changes: true, Tags: []string{"lanes"},
		Summary: "Make no calls for a customer",
		Description: "It holds at once in all workers: exports in the middle of their calls finish, all others wait. It takes the place of an earlier pause. Without `until` it " +
			"lasts until somebody resumes.",
	}, s.pauseLane)
	register(s, op{
		ID: "resume-lane", Method: http.MethodPost, Path: "/v1/customers/{customer}/lane/resume", Scope: ScopeOperate, Changes: true, Tags: []string{"lanes"},
		Summary: "End a customer's pause", Description: "Also one that was made in asynq's web UI.",
	}, s.resumeLane)
	register(s, op{
		ID: "cancel-exports", Method: http.MethodPost, Path: "/v1/customers/{customer}/cancel", Scope: ScopeOperate, Changes: true, Tags: []string{"lanes"},
		Summary: "End all exports of a customer that wait",
		Description: "Their candidates' data is purged. What is in the middle of a call, or waits for the outcome of a write, is left alone and counted as busy: " +
			"ask again should it be put off.",
		Errors: []Code{CodeCannotOpen},
	}, s.cancelExports)
}

func (s *Server) listLanes(ctx context.Context, in *struct {
	CustomerPage

	All bool `query:"all" doc:"Also customers without work and without a reason to wait."`
}) (*struct{ Body operate.LaneList }, error) {
	list, err := s.Desk.Lanes(ctx, operate.LaneQuery{All: in.All, Only: principalOf(ctx).Customers, After: in.Cursor, Limit: in.Limit})
	if err != nil {
		return nil, err
	}
	return &struct{ Body operate.LaneList }{list}, nil
}

func (s *Server) getLane(ctx context.Context, in *struct{ CustomerPath }) (*struct{ Body operate.LaneDetail }, error) {
	lane, err := s.Desk.Lane(ctx, in.Customer)
	if err != nil {
		return nil, err
	}
	return &struct{ Body operate.LaneDetail }{lane}, nil
}

type pausedOutput struct{ Body operate.Paused }

func (s *Server) pauseLane(ctx context.Context, in *struct {
	CustomerPath
	Body struct {
		Why   string    `json:"why" minLength:"1" maxLength:"1000" doc:"Why it is done: whoever wonders is shown it."`
		Until time.Time `json:"until,omitzero" doc:"When it goes on by itself."`
	}
}) (*pausedOutput, error) {
	if strings.TrimSpace(in.Body.Why) == "" {
		return nil, whyMissing("why")
	}
	// Pauses go by Redis's clock, which all workers share.
	now, err := s.Ledger.Now(ctx)
	if err != nil {
		return nil, err
	}
	if !in.Body.Until.IsZero() && !in.Body.Until.After(now) {
		return nil, problem(CodeInvalid, "", FieldProblem{"until", "is over", "give a time to come, or leave it out to pause until somebody resumes"})
	}
	paused, err := s.Desk.Pause(ctx, in.Customer, store.Pause{By: principalOf(ctx).Name, Why: in.Body.Why, At: now, Until: in.Body.Until})
	if err != nil {
		return nil, err
	}
	return &pausedOutput{paused}, nil
}

func (s *Server) resumeLane(ctx context.Context, in *struct {
	CustomerPath
	Body struct {
		Why string `json:"why" minLength:"1" maxLength:"1000" doc:"Why it is done."`
	}
}) (*pausedOutput, error) {
	if strings.TrimSpace(in.Body.Why) == "" {
		return nil, whyMissing("why")
	}
	paused, err := s.Desk.Resume(ctx, in.Customer, principalOf(ctx).Name, in.Body.Why)
	if err != nil {
		return nil, err
	}
	return &pausedOutput{paused}, nil
}

type cancelExportsInput struct {
	CustomerPath
	Body struct {
		Why      string `json:"why,omitempty" maxLength:"1000" doc:"Why it is done. Only a dry run needs none."`
		DryRun   bool   `json:"dry_run,omitempty" doc:"Only count what would be cancelled."`
		Patience int    `json:"patience,omitempty" minimum:"0" maximum:"30" doc:"For how many seconds to wait for exports in the middle of their calls."`
	}
}

func (in *cancelExportsInput) changesNothing() bool { return in.Body.DryRun }

func (s *Server) cancelExports(ctx context.Context, in *cancelExportsInput) (*struct{ Body store.Cancellation }, error) {
	if strings.TrimSpace(in.Body.Why) == "" && !in.Body.DryRun {
		return nil, whyMissing("why")
	}
	options := store.CancelOptions{Who: principalOf(ctx).Name, Why: in.Body.Why, DryRun: in.Body.DryRun}
	done, err := s.Desk.Cancel(ctx, operate.CancelScope{Customer: in.Customer}, options, time.Duration(in.Body.Patience)*time.Second)
	if err != nil {
		return nil, err
	}
	return &struct{ Body store.Cancellation }{done}, nil
}
