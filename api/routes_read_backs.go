package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/seekout/icims-export/readback"
	"github.com/seekout/icims-export/store"
)

func (s *Server) registerReadBacks() {
	register(s, op{
		ID: "start-read-back", Method: http.MethodPost, Path: "/v1/customers/{customer}/read-backs", Scope: ScopeOperate, Changes: true, Status: http.StatusAccepted, Tags: []string{"read-backs"},
		Summary: "Start a read-back",
		Description: "A worker reads a sample of exported people and workflows from iCIMS and compares it with what was sent; see docs/read-back.md. It makes one call per person and workflow; `max_calls` limits them. " +
			"If a read-back is already running for the customer, it is returned with `joined`. Follow it with `wait`.",
		Errors: []Code{CodeNoConnection, CodeCallsShort},
	}, s.startReadBack)
	register(s, op{
		ID: "plan-read-back", Method: http.MethodGet, Path: "/v1/customers/{customer}/read-backs/plan", Scope: ScopeRead, Tags: []string{"read-backs"},
		Summary: "Get the cost of a read-back", Description: "The sample size and the maximum number of calls to iCIMS. Nothing is read.",
		Errors: []Code{CodeNoConnection},
	}, s.planReadBack)
	register(s, op{
		ID: "get-read-back", Method: http.MethodGet, Path: "/v1/customers/{customer}/read-backs/{read_back}", Scope: ScopeRead, Tags: []string{"read-backs"},
		Summary:     "Get a read-back",
		Description: "Available while it runs. `wait` delays the response until it ends or the time is over; with `seen`, also until it changes.",
		Errors:      []Code{CodeNoReadBack},
	}, s.getReadBack)
	register(s, op{
		ID: "list-read-backs", Method: http.MethodGet, Path: "/v1/customers/{customer}/read-backs", Scope: ScopeRead, Tags: []string{"read-backs"},
		Summary: "List read-backs", Description: "The latest 20, newest first, within the retention of results.",
	}, s.listReadBacks)
}

// ReadBackOrder are the parameters of a read-back.
type ReadBackOrder struct {
	Sample   int `json:"sample,omitempty" minimum:"1" maximum:"500" default:"50" doc:"People to read back."`
	MaxCalls int `json:"max_calls,omitempty" minimum:"1" doc:"Refuse the read-back if it needs more calls to iCIMS."`
}

// StartedReadBack is a requested read-back.
type StartedReadBack struct {
	readback.ReadBack

	Joined bool `json:"joined,omitempty" doc:"The read-back was already running, with its own sample."`
}

// ReadBackPlan is the cost of a read-back.
type ReadBackPlan struct {
	People    int    `json:"people" doc:"People in the sample."`
	Workflows int    `json:"workflows" doc:"Their workflows."`
	Calls     int    `json:"calls" doc:"Maximum number of calls to iCIMS."`
	Left      *int   `json:"left,omitempty" doc:"Calls it may make today; omitted before the customer's first call."`
	Short     bool   `json:"short" doc:"It needs more calls than are left, so it would be refused."`
	Cost      string `json:"cost" doc:"The cost in a sentence." example:"50 people and 50 workflows: up to 100 calls of 9,994 left today."`
}

// readBackPlan draws the sample of a read-back.
func (s *Server) readBackPlan(ctx context.Context, customer string, sample int) (readback.Plan, error) {
	conn, ok := s.Admin.Connections.Get(ctx, customer)
	if !ok {
		return readback.Plan{}, store.ErrNoConnection
	}
	return readback.NewPlan(ctx, s.Ledger, conn.WithDefaults(), cmp.Or(sample, readback.DefaultSample))
}

func (s *Server) planReadBack(ctx context.Context, in *struct {
	CustomerPath

	Sample int `query:"sample" minimum:"1" maximum:"500" default:"50" doc:"People to read back."`
}) (*struct{ Body ReadBackPlan }, error) {
	p, err := s.readBackPlan(ctx, in.Customer, in.Sample)
	if err != nil {
		return nil, err
	}
	plan := ReadBackPlan{People: p.People, Workflows: p.Workflows, Calls: p.Calls, Short: p.Short(), Cost: p.CostText()}
	if p.Known {
		plan.Left = &p.Left
	}
	return &struct{ Body ReadBackPlan }{plan}, nil
}

type startedReadBackOutput struct {
	Location string `header:"Location" doc:"The read-back's URL."`
	Body     StartedReadBack
}

func (s *Server) startReadBack(ctx context.Context, in *struct {
	CustomerPath

	Body ReadBackOrder
}) (*startedReadBackOutput, error) {
	plan, err := s.readBackPlan(ctx, in.Customer, in.Body.Sample)
	if err != nil {
		return nil, err
	}
	if plan.Short() {
		return nil, problem(CodeCallsShort, fmt.Sprintf("It needs up to %d calls; %d are left today.", plan.Calls, plan.Left))
	}
	if in.Body.MaxCalls > 0 && plan.Calls > in.Body.MaxCalls {
		return nil, problem(CodeCallsShort, fmt.Sprintf("It needs up to %d calls; `max_calls` is %d.", plan.Calls, in.Body.MaxCalls))
	}
	e, joined, err := s.Admin.ControlTasks.Request(ctx, in.Customer, store.ControlReadBack, plan.Args, principalOf(ctx).Name)
	if err != nil {
		return nil, err
	}
	v, err := s.readBackOf(ctx, e)
	if err != nil {
		return nil, err
	}
	return &startedReadBackOutput{"/v1/customers/" + in.Customer + "/read-backs/" + v.ID, StartedReadBack{v, joined}}, nil
}

// readBackOf returns a read-back. If it waits, the result says what for.
func (s *Server) readBackOf(ctx context.Context, t store.ControlTask) (readback.ReadBack, error) {
	v, err := readback.View(t)
	if err == nil {
		err = s.Admin.ControlTasks.Explain(ctx, &v.ControlView)
	}
	return v, err
}

func (s *Server) getReadBack(ctx context.Context, in *struct {
	CustomerPath

	ReadBack string `path:"read_back" pattern:"^[a-z2-7]{16}$" doc:"The read-back's ID." example:"abcdefgh234567ij"`
	Wait     string `query:"wait" pattern:"^([0-9]|[12][0-9]|30)s?$" default:"0s" doc:"Seconds to wait for the end, at most 30."`
	Seen     int64  `query:"seen" minimum:"0" doc:"The known revision: wait for a change instead."`
}) (*struct{ Body readback.ReadBack }, error) {
	t, err := s.followedTask(ctx, in.Customer, store.ControlReadBack, in.ReadBack, in.Wait, in.Seen)
	if errors.Is(err, store.ErrNoControlTask) {
		return nil, problem(CodeNoReadBack, "")
	}
	if err != nil {
		return nil, err
	}
	v, err := s.readBackOf(ctx, t)
	return &struct{ Body readback.ReadBack }{v}, err
}

// ReadBacks are a customer's latest read-backs.
type ReadBacks struct {
	ReadBacks []readback.ReadBack `json:"read_backs" doc:"Newest first."`
}

func (s *Server) listReadBacks(ctx context.Context, in *struct{ CustomerPath }) (*struct{ Body ReadBacks }, error) {
	list, err := s.Ledger.Control.List(ctx, in.Customer, store.ControlReadBack)
	if err != nil {
		return nil, err
	}
	out := ReadBacks{ReadBacks: make([]readback.ReadBack, len(list))}
	for i, e := range list {
		if out.ReadBacks[i], err = readback.View(e); err != nil {
			return nil, err
		}
	}
	return &struct{ Body ReadBacks }{out}, nil
}
