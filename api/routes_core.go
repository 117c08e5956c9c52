package api

import (
	"context"
	"net/http"
	"time"

	"github.com/seekout/icims-export/store"
)

// CustomerPath is the customer in a path; inputs embed it, for which huma wants an
// exported name. The guard has checked that it is a number and that the key is good
// for it.
type CustomerPath struct {
	Customer string `path:"customer" pattern:"^[0-9]{1,18}$" doc:"iCIMS's customer id." example:"1234"`
}

func (s *Server) registerCore() {
	register(s, op{
		ID: "whoami", Method: http.MethodGet, Path: "/v1/whoami", Scope: scopeAny, Tags: []string{"service"},
		Summary: "Tell what an API key may do",
	}, s.whoami)
	register(s, op{
		ID: "healthz", Method: http.MethodGet, Path: "/healthz", Tags: []string{"service"}, Errors: []Code{CodeStopping},
		Summary: "Tell whether the service can work", Description: "Answers 200 while Redis answers and the service is not being stopped. It needs no key and tells nothing else.",
	}, s.healthz)
	register(s, op{
		ID: "readyz", Method: http.MethodGet, Path: "/readyz", Tags: []string{"service"}, Errors: []Code{CodeStopping},
		Summary: "Tell whether the service takes changes", Description: "Answers 200 while Redis answers and takes writes. The detail of any other answer says what is wrong with it. An answer may be a second old. It needs no key.",
	}, s.readyz)
	for path, contentType := range map[string]string{"/openapi.json": "application/openapi+json", "/openapi.yaml": "application/openapi+yaml"} {
		s.handle(op{ID: "openapi", Method: http.MethodGet, Path: path}, func(w http.ResponseWriter, r *http.Request) {
			spec := s.openAPISpecs()
			if spec.err != nil {
				s.refuse(w, r, spec.err)
				return
			}
			text := spec.json
			if path == "/openapi.yaml" {
				text = spec.yaml
			}
			w.Header().Set("Content-Type", contentType)
			_, _ = w.Write(text) // nobody is left to tell
		})
	}
}

type whoamiOutput struct {
	Body WhoAmI
}

// WhoAmI is what an API key may do.
type WhoAmI struct {
	Key          string     `json:"key" doc:"The key's id." example:"abcdefgh234567ij"`
	Name         string     `json:"name" doc:"The name it was made with."`
	Scopes       []Scope    `json:"scopes" enum:"read,export,operate,admin" doc:"What it may do. Each includes read; admin includes all."`
	Customers    []string   `json:"customers,omitempty" doc:"The customers that it is good for, where it is bound to some."`
	AllCustomers bool       `json:"all_customers" doc:"It is bound to no customer."`
	Expires      *time.Time `json:"expires,omitempty" doc:"When it expires, if ever."`
}

func (s *Server) whoami(ctx context.Context, _ *struct{}) (*whoamiOutput, error) {
	p := principalOf(ctx)
	who := WhoAmI{Key: p.Key, Name: p.Name, Scopes: p.Scopes, Customers: p.Customers, AllCustomers: p.Customers == nil}
	if !p.Expires.IsZero() {
		who.Expires = &p.Expires
	}
	return &whoamiOutput{who}, nil
}

type healthOutput struct {
	Body Health
}

// Health is how the service does.
type Health struct {
	Status string `json:"status" enum:"ok" doc:"It can work."`
}

// healthTime is how long Redis has for its answer.
const healthTime = 2 * time.Second

func (s *Server) healthz(ctx context.Context, _ *struct{}) (*healthOutput, error) {
	ctx, cancel := context.WithTimeout(ctx, healthTime)
	defer cancel()
	if err := store.Reach(ctx, s.Redis); err != nil {
		return nil, redisAway(err)
	}
	return &healthOutput{Health{Status: "ok"}}, nil
}

// readyz says what is wrong with Redis, as metrics.Health does: not where it is.
func (s *Server) readyz(ctx context.Context, _ *struct{}) (*healthOutput, error) {
	if err := s.writes.Look(ctx); err != nil {
		return nil, redisAway(err)
	}
	return &healthOutput{Health{Status: "ok"}}, nil
}

// redisAway is the problem of a look at Redis that failed.
func redisAway(err error) error {
	if p := redisProblem(err); p != nil {
		return p
	}
	return newProblem(CodeUnavailable, "").after(askAgain)
}
