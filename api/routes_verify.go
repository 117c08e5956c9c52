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
		Summary:     "List the addresses that iCIMS has to allow",
		Description: "The addresses from which iCIMS sees this service's calls come: customers need to have them allow-listed for their API user. They are those of the setting `egress_addresses`.",
	}, s.egress)
	register(s, op{
		ID: "verify-connection", Method: http.MethodPost, Path: "/v1/customers/{customer}/verifications", Scope: ScopeAdmin, Changes: true, Status: http.StatusAccepted, Tags: []string{"verifications"},
		Summary: "Verify a connection",
		Description: "A worker goes through named checks and sends a test candidate to the chosen job, or to the first that a portal shows; docs/verification.md explains the checks and their codes. " +
			"Where one is under way for the customer that one is answered, with `joined`. Follow it with `wait`.",
		Errors: []Code{CodeNoConnection},
	}, s.startVerification)
	register(s, op{
		ID: "get-verification", Method: http.MethodGet, Path: "/v1/customers/{customer}/verifications/{verification}", Scope: ScopeRead, Tags: []string{"verifications"},
		Summary:     "Show a verification",
		Description: "What was found, also while it runs. With `wait` the answer comes when it has ended, with `seen` as well when anything has changed since, or when the time is over.",
		Errors:      []Code{CodeNoVerification},
	}, s.getVerification)
	register(s, op{
		ID: "list-verifications", Method: http.MethodGet, Path: "/v1/customers/{customer}/verifications", Scope: ScopeRead, Tags: []string{"verifications"},
		Summary: "List verifications", Description: "The last 20, the latest first, for as long as results are kept.",
	}, s.listVerifications)
}

// Egress are the addresses that iCIMS has to allow.
type Egress struct {
	Addresses []string `json:"addresses" doc:"Addresses and networks; empty where the setting lists none." example:"192.0.2.7"`
}

func (s *Server) egress(context.Context, *struct{}) (*struct{ Body Egress }, error) {
	return &struct{ Body Egress }{Egress{append([]string{}, s.Settings.EgressAddresses...)}}, nil
}

// VerificationOrder is what to verify.
type VerificationOrder struct {
	Job           int64 `json:"job,omitempty" minimum:"1" doc:"The job for the test candidate, by its system id; left out, the first that a portal shows." example:"1701"`
	TestCandidate *bool `json:"test_candidate,omitempty" default:"true" doc:"Send the test candidate. Without it nothing is written in iCIMS."`
}

// StartedVerification is a verification that was asked for.
type StartedVerification struct {
	verify.Verification

	Joined bool `json:"joined,omitempty" doc:"It was under way already, so that this is somebody else's, with what that one asked for."`
}

type startedOutput struct {
	Location string `header:"Location" doc:"Where to follow it."`
	Body     StartedVerification
}

func (s *Server) startVerification(ctx context.Context, in *struct {
	CustomerPath

	Body VerificationOrder
}) (*startedOutput, error) {
	// A customer that the store does not know may be in the workers' file.
	if c, err := s.Ledger.Connection(ctx, in.Customer); err == nil && !c.Below().Kept() {
		return nil, store.ErrNoConnection
	} else if err != nil && !errors.Is(err, store.ErrNoConnection) && !errors.Is(err, store.ErrSealed) {
		return nil, err
	}
	args := verify.Args{Job: in.Body.Job, NoTestCandidate: in.Body.TestCandidate != nil && !*in.Body.TestCandidate}
	e, joined, err := s.Desk.RequestControl(ctx, in.Customer, store.ControlVerify, args, principalOf(ctx).Name)
	if err != nil {
		return nil, err
	}
	v, err := s.verificationOf(ctx, e)
	if err != nil {
		return nil, err
	}
	return &startedOutput{"/v1/customers/" + in.Customer + "/verifications/" + v.ID, StartedVerification{v, joined}}, nil
}

// verificationOf shows a verification. If it waits, it says what for.
func (s *Server) verificationOf(ctx context.Context, t store.ControlTask) (verify.Verification, error) {
	v, err := verify.View(t)
	if err == nil {
		err = s.Desk.Explain(ctx, &v.ControlView)
	}
	return v, err
}

func (s *Server) getVerification(ctx context.Context, in *struct {
	CustomerPath

	Verification string `path:"verification" pattern:"^[a-z2-7]{16}$" doc:"The verification's id." example:"abcdefgh234567ij"`
	Wait         string `query:"wait" pattern:"^([0-9]|[12][0-9]|30)s?$" default:"0s" doc:"For how many seconds to wait for its end, at most 30."`
	Seen         int64  `query:"seen" minimum:"0" doc:"The revision that is known: wait for any change of it instead."`
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
	t, err := s.Ledger.ControlTask(ctx, customer, kind, id)
	if err != nil {
		return t, err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.stopping, cancel)()
	return s.Desk.AwaitControl(ctx, t, seconds(wait), seen)
}

// Verifications are the latest of a customer.
type Verifications struct {
	Verifications []verify.Verification `json:"verifications" doc:"The latest first."`
}

func (s *Server) listVerifications(ctx context.Context, in *struct{ CustomerPath }) (*struct{ Body Verifications }, error) {
	list, err := s.Ledger.ControlTasks(ctx, in.Customer, store.ControlVerify)
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
