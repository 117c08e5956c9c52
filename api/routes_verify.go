package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/verify"
)

func (s *Server) registerVerifications() {
	register(s, op{
		ID: "get-egress", Method: http.MethodGet, Path: "/v1/egress", Scope: ScopeRead, Tags: []string{"verifications"},
		Summary:     "List the IP addresses to allow-list",
		Description: "The source addresses of this service's calls, from the setting `egress_addresses`. iCIMS must allow-list them for the customer's API user.",
	}, s.egress)
	register(s, op{
		ID: "verify-connection", Method: http.MethodPost, Path: "/v1/customers/{customer}/verifications", Scope: ScopeAdmin, Changes: true, Status: http.StatusAccepted, Tags: []string{"verifications"},
		Summary: "Verify a connection",
		Description: "A worker runs the checks and exports a test candidate to the job, or to the first job on a portal. docs/verification.md explains the checks and their codes. " +
			"If a verification is already running for the customer, it is returned with `joined`. Follow it with `wait`.",
		Errors: []Code{CodeNoConnection},
	}, s.startVerification)
	register(s, op{
		ID: "get-verification", Method: http.MethodGet, Path: "/v1/customers/{customer}/verifications/{verification}", Scope: ScopeRead, Tags: []string{"verifications"},
		Summary:     "Get a verification",
		Description: "Available while it runs. `wait` delays the response until it ends or the time is over; with `seen`, also until it changes.",
		Errors:      []Code{CodeNoVerification},
	}, s.getVerification)
	register(s, op{
		ID: "list-verifications", Method: http.MethodGet, Path: "/v1/customers/{customer}/verifications", Scope: ScopeRead, Tags: []string{"verifications"},
		Summary: "List verifications", Description: "The latest 20, newest first, within the retention of results.",
	}, s.listVerifications)
}

// Egress are the addresses to allow in iCIMS.
type Egress struct {
	Addresses []string `json:"addresses" doc:"Addresses and networks; empty if not configured." example:"192.0.2.7"`
}

func (s *Server) egress(context.Context, *struct{}) (*struct{ Body Egress }, error) {
	return &struct{ Body Egress }{Egress{append([]string{}, s.Settings.EgressAddresses...)}}, nil
}

// VerificationOrder are the parameters of a verification.
type VerificationOrder struct {
	Job           int64 `json:"job,omitempty" minimum:"1" doc:"System ID of the job for the test candidate; by default, the first job on a portal." example:"1701"`
	TestCandidate *bool `json:"test_candidate,omitempty" default:"true" doc:"Export a test candidate. If false, nothing is written to iCIMS."`
}

// StartedVerification is a requested verification.
type StartedVerification struct {
	verify.Verification

	Joined bool `json:"joined,omitempty" doc:"The verification was already running, with its own options."`
}

type startedOutput struct {
	Location string `header:"Location" doc:"The verification's URL."`
	Body     StartedVerification
}

func (s *Server) startVerification(ctx context.Context, in *struct {
	CustomerPath

	Body VerificationOrder
}) (*startedOutput, error) {
	// A customer without a stored connection may be in the workers' file.
	if c, err := s.Ledger.Connections.Get(ctx, in.Customer); err == nil && !c.Below().Kept() {
		return nil, store.ErrNoConnection
	} else if err != nil && !errors.Is(err, store.ErrNoConnection) && !errors.Is(err, store.ErrSealed) {
		return nil, err
	}
	args := verify.Args{Job: in.Body.Job, NoTestCandidate: in.Body.TestCandidate != nil && !*in.Body.TestCandidate}
	e, joined, err := s.Admin.ControlTasks.Request(ctx, in.Customer, store.ControlVerify, args, principalOf(ctx).Name)
	if err != nil {
		return nil, err
	}
	v, err := s.verificationOf(ctx, e)
	if err != nil {
		return nil, err
	}
	return &startedOutput{"/v1/customers/" + in.Customer + "/verifications/" + v.ID, StartedVerification{v, joined}}, nil
}

// verificationOf returns a verification. If it waits, the result says what for.
func (s *Server) verificationOf(ctx context.Context, t store.ControlTask) (verify.Verification, error) {
	v, err := verify.View(t)
	if err == nil {
		err = s.Admin.ControlTasks.Explain(ctx, &v.ControlView)
	}
	return v, err
}

func (s *Server) getVerification(ctx context.Context, in *struct {
	CustomerPath

	Verification string `path:"verification" pattern:"^[a-z2-7]{16}$" doc:"The verification's ID." example:"abcdefgh234567ij"`
	Wait         string `query:"wait" pattern:"^([0-9]|[12][0-9]|30)s?$" default:"0s" doc:"Seconds to wait for the end, at most 30."`
	Seen         int64  `query:"seen" minimum:"0" doc:"The known revision: wait for a change instead."`
}) (*struct{ Body verify.Verification }, error) {
	t, err := s.followedTask(ctx, in.Customer, store.ControlVerify, in.Verification, in.Wait, in.Seen)
	if errors.Is(err, store.ErrNoControlTask) {
		return nil, problem(CodeNoVerification, "")
	}
	if err != nil {
		return nil, err
	}
	v, err := s.verificationOf(ctx, t)
	return &struct{ Body verify.Verification }{v}, err
}

// followedTask reads a control task, and waits until it has ended or, if seen is not 0, has
// changed since that revision. A wait ends early when the server stops.
func (s *Server) followedTask(ctx context.Context, customer string, kind store.ControlKind, id, wait string, seen int64) (store.ControlTask, error) {
	t, err := s.Ledger.Control.Get(ctx, customer, kind, id)
	if err != nil {
		return t, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.stopping, cancel)()
	return s.Admin.ControlTasks.Await(ctx, t, seconds(wait), seen)
}

// Verifications are a customer's latest verifications.
type Verifications struct {
	Verifications []verify.Verification `json:"verifications" doc:"Newest first."`
}

func (s *Server) listVerifications(ctx context.Context, in *struct{ CustomerPath }) (*struct{ Body Verifications }, error) {
	list, err := s.Ledger.Control.List(ctx, in.Customer, store.ControlVerify)
	if err != nil {
		return nil, err
	}
	out := Verifications{Verifications: make([]verify.Verification, len(list))}
	for i, e := range list {
		if out.Verifications[i], err = verify.View(e); err != nil {
			return nil, err
		}
	}
	return &struct{ Body Verifications }{out}, nil
}
