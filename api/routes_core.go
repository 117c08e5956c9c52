package api

import (
	"context"
	"net/http"
	"time"

	"github.com/seekout/icims-export/store"
)

// CustomerPath is the customer in a path. Inputs embed it; huma requires an exported name. The
// guard has checked that it is a number and that the key is valid for it.
type CustomerPath struct {
	Customer string `path:"customer" pattern:"^[0-9]{1,18}$" doc:"iCIMS's customer ID." example:"1234"`
}

func (s *Server) registerCore() {
	register(s, op{
		ID: "whoami", Method: http.MethodGet, Path: "/v1/whoami", Scope: scopeAny, Tags: []string{"service"},
		Summary: "Get the API key's permissions",
	}, s.whoami)
	register(s, op{
		ID: "healthz", Method: http.MethodGet, Path: "/healthz", Tags: []string{"service"}, Errors: []Code{CodeStopping},
		Summary: "Check liveness", Description: "Responds 200 while Redis responds and the service is not stopping. Requires no key.",
	}, s.healthz)
	register(s, op{
		ID: "readyz", Method: http.MethodGet, Path: "/readyz", Tags: []string{"service"}, Errors: []Code{CodeStopping},
		Summary: "Check readiness", Description: "Responds 200 while Redis accepts writes; otherwise `detail` has the problem. The response may be a second old. Requires no key.",
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
			_, _ = w.Write(text) // the client is gone
		})
	}
}

type whoamiOutput struct {
	Body WhoAmI
}

// WhoAmI describes an API key's permissions.
type WhoAmI struct {
	Key          string     `json:"key" doc:"The key's ID." example:"abcdefgh234567ij"`
	Name         string     `json:"name" doc:"The key's name."`
	Scopes       []Scope    `json:"scopes" enum:"read,export,operate,admin" doc:"The key's scopes. Each includes read; admin includes all."`
	Customers    []string   `json:"customers,omitempty" doc:"The key's customers, if it is limited to some."`
	AllCustomers bool       `json:"all_customers" doc:"The key is valid for all customers."`
	Expires      *time.Time `json:"expires,omitempty" doc:"When the key expires, if ever."`
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

// Health is the health of the service.
type Health struct {
	Status string `json:"status" enum:"ok" doc:"The service is healthy."`
}

// healthTime is the time limit for Redis's response.
const healthTime = 2 * time.Second

func (s *Server) healthz(ctx context.Context, _ *struct{}) (*healthOutput, error) {
	ctx, cancel := context.WithTimeout(ctx, healthTime)
	defer cancel()
	if err := store.Reach(ctx, s.Redis); err != nil {
		return nil, redisAway(err)
	}
	return &healthOutput{Health{Status: "ok"}}, nil
}

// readyz reports what is wrong with Redis, as metrics.Health does, without its address.
func (s *Server) readyz(ctx context.Context, _ *struct{}) (*healthOutput, error) {
	if err := s.writes.Look(ctx); err != nil {
		return nil, redisAway(err)
	}
	return &healthOutput{Health{Status: "ok"}}, nil
}

// redisAway returns the problem of a failed check of Redis.
func redisAway(err error) error {
	if p := redisProblem(err); p != nil {
		return p
	}
	return newProblem(CodeUnavailable, "").after(redisRetryAfter)
}
