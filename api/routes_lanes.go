package api

import (
	"context"
	"net/http"
	"strings"
	"time"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/store"
)

func (s *Server) registerLanes() {
	register(s, op{
		ID: "list-lanes", Method: http.MethodGet, Path: "/v1/lanes", Scope: ScopeRead, Tags: []string{"lanes"},
		Summary:     "List lanes",
		Description: "Waiting exports, calls and blocks of the key's customers, ordered by customer.",
	}, s.listLanes)
	register(s, op{
		ID: "get-lane", Method: http.MethodGet, Path: "/v1/customers/{customer}/lane", Scope: ScopeRead, Tags: []string{"lanes"},
		Summary:     "Get a lane",
		Description: "With open batches, their forecasts and recent activity.",
	}, s.getLane)
	register(s, op{
		ID: "pause-lane", Method: http.MethodPost, Path: "/v1/customers/{customer}/lane/pause", Scope: ScopeOperate, Changes: true, Tags: []string{"lanes"},
		Summary: "Pause a lane",
		Description: "Takes effect immediately in all workers: running exports finish, all others wait. Replaces an earlier pause. Without `until`, the pause " +
			"lasts until resumed.",
	}, s.pauseLane)
	register(s, op{
		ID: "resume-lane", Method: http.MethodPost, Path: "/v1/customers/{customer}/lane/resume", Scope: ScopeOperate, Changes: true, Tags: []string{"lanes"},
		Summary: "Resume a lane", Description: "Also ends a pause from asynq's web UI.",
	}, s.resumeLane)
	register(s, op{
		ID: "cancel-exports", Method: http.MethodPost, Path: "/v1/customers/{customer}/cancel", Scope: ScopeOperate, Changes: true, Tags: []string{"lanes"},
		Summary: "Cancel a customer's waiting exports",
		Description: "Deletes the candidates' data. Running exports and exports with an unconfirmed write are not canceled and counted as busy: " +
			"if one is rescheduled, cancel again.",
		Errors: []Code{CodeCannotOpen},
	}, s.cancelExports)
}

func (s *Server) listLanes(ctx context.Context, in *struct {
	CustomerPage

	All bool `query:"all" doc:"Include idle customers."`
}) (*struct{ Body admin.LaneList }, error) {
	list, err := s.Admin.Lanes.List(ctx, admin.LaneQuery{All: in.All, Only: principalOf(ctx).Customers, After: in.Cursor, Limit: in.Limit})
	if err != nil {
		return nil, err
	}
	return &struct{ Body admin.LaneList }{list}, nil
}

func (s *Server) getLane(ctx context.Context, in *struct{ CustomerPath }) (*struct{ Body admin.LaneDetail }, error) {
	lane, err := s.Admin.Lanes.Get(ctx, in.Customer)
	if err != nil {
		return nil, err
	}
	return &struct{ Body admin.LaneDetail }{lane}, nil
}

type pausedOutput struct{ Body admin.Paused }

func (s *Server) pauseLane(ctx context.Context, in *struct {
	CustomerPath
	Body struct {
		Why   string    `json:"why" minLength:"1" maxLength:"1000" doc:"The reason, shown in the lane."`
		Until time.Time `json:"until,omitzero" doc:"When the lane resumes."`
	}
}) (*pausedOutput, error) {
	if strings.TrimSpace(in.Body.Why) == "" {
		return nil, whyMissing("why")
	}
	// Pauses use Redis's clock, which all workers share.
	now, err := s.Ledger.Now(ctx)
	if err != nil {
		return nil, err
	}
	if !in.Body.Until.IsZero() && !in.Body.Until.After(now) {
		return nil, problem(CodeInvalid, "", FieldProblem{"until", "is in the past", "use a future time, or omit it to pause until resumed"})
	}
	paused, err := s.Admin.Lanes.Pause(ctx, in.Customer, store.Pause{By: principalOf(ctx).Name, Why: in.Body.Why, At: now, Until: in.Body.Until})
	if err != nil {
		return nil, err
	}
	return &pausedOutput{paused}, nil
}

func (s *Server) resumeLane(ctx context.Context, in *struct {
	CustomerPath
	Body struct {
		Why string `json:"why" minLength:"1" maxLength:"1000" doc:"The reason."`
	}
}) (*pausedOutput, error) {
	if strings.TrimSpace(in.Body.Why) == "" {
		return nil, whyMissing("why")
	}
	paused, err := s.Admin.Lanes.Resume(ctx, in.Customer, principalOf(ctx).Name, in.Body.Why)
	if err != nil {
		return nil, err
	}
	return &pausedOutput{paused}, nil
}

type cancelExportsInput struct {
	CustomerPath
	Body struct {
		Why      string `json:"why,omitempty" maxLength:"1000" doc:"The reason. Required unless it is a dry run."`
		DryRun   bool   `json:"dry_run,omitempty" doc:"Only count, cancel nothing."`
		Patience int    `json:"patience,omitempty" minimum:"0" maximum:"30" doc:"Seconds to wait for running exports."`
	}
}

func (in *cancelExportsInput) changesNothing() bool { return in.Body.DryRun }

func (s *Server) cancelExports(ctx context.Context, in *cancelExportsInput) (*struct{ Body store.Cancellation }, error) {
	if strings.TrimSpace(in.Body.Why) == "" && !in.Body.DryRun {
		return nil, whyMissing("why")
	}
	options := store.CancelOptions{Who: principalOf(ctx).Name, Why: in.Body.Why, DryRun: in.Body.DryRun}
	done, err := s.Admin.Cancel(ctx, admin.CancelScope{Customer: in.Customer}, options, time.Duration(in.Body.Patience)*time.Second)
	if err != nil {
		return nil, err
	}
	return &struct{ Body store.Cancellation }{done}, nil
}
