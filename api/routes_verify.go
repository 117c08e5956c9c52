package api

import (
	"context"
	"errors"
	"net/http"
	"time"

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
		Errors:      []Code{CodeNoErrand},
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
	e, joined, err := s.Ledger.AskErrand(ctx, in.Customer, store.ErrandVerify, args, principalOf(ctx).Name)
	if err != nil {
		return nil, err
	}
	v, err := s.verificationOf(ctx, e)
	if err != nil {
		return nil, err
	}
	return &startedOutput{"/v1/customers/" + in.Customer + "/verifications/" + v.ID, StartedVerification{v, joined}}, nil
}

// verificationOf shows a verification. Of one that waits it tells whether there is
// anybody to do it.
func (s *Server) verificationOf(ctx context.Context, e store.Errand) (verify.Verification, error) {
	v, err := verify.View(e)
	if err != nil || e.State != store.ErrandWaiting {
		return v, err
	}
	outage, err := s.Desk.Outage(ctx)
	if outage != nil {
		v.Problem, v.Remedy = outage.Problem, outage.Remedy
	}
	return v, err
}

func (s *Server) getVerification(ctx context.Context, in *struct {
	CustomerPath

	Verification string `path:"verification" pattern:"^[a-z2-7]{16}$" doc:"The verification's id." example:"abcdefgh234567ij"`
	Wait         string `query:"wait" pattern:"^([0-9]|[12][0-9]|30)s?$" default:"0s" doc:"For how many seconds to wait for its end, at most 30."`
	Seen         int64  `query:"seen" minimum:"0" doc:"The revision that is known: wait for any change of it instead."`
}) (*struct{ Body verify.Verification }, error) {
	e, err := s.Ledger.Errand(ctx, in.Customer, store.ErrandVerify, in.Verification)
	if errors.Is(err, store.ErrNoErrand) {
		return nil, problem(CodeNoErrand, "")
	}
	if err == nil {
		e, err = s.awaitErrand(ctx, e, seconds(in.Wait), in.Seen)
	}
	if err != nil {
		return nil, err
	}
	v, err := s.verificationOf(ctx, e)
	return &struct{ Body verify.Verification }{v}, err
}

// awaitErrand waits until an errand has ended, or has another revision than the one
// seen, where one is given.
func (s *Server) awaitErrand(ctx context.Context, e store.Errand, wait time.Duration, seen int64) (store.Errand, error) {
	waiting, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	defer context.AfterFunc(s.stopping, cancel)()
	for !e.State.Ended() && waiting.Err() == nil && (seen == 0 || e.Revision == seen) {
		var err error
		if e, err = s.Ledger.AwaitErrand(waiting, e); err != nil {
			return e, err
		}
	}
	return e, nil
}

// Verifications are the latest of a customer.
type Verifications struct {
	Verifications []verify.Verification `json:"verifications" doc:"The latest first."`
}

func (s *Server) listVerifications(ctx context.Context, in *struct{ CustomerPath }) (*struct{ Body Verifications }, error) {
	errands, err := s.Ledger.Errands(ctx, in.Customer, store.ErrandVerify)
	if err != nil {
		return nil, err
	}
	out := Verifications{Verifications: make([]verify.Verification, len(errands))}
	for i, e := range errands {
		if out.Verifications[i], err = verify.View(e); err != nil {
			return nil, err
		}
	}
	return &struct{ Body Verifications }{out}, nil
}
