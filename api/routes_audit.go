package api

import (
	"context"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/seekout/icims-export/store"
)

func (s *Server) registerAudit() {
	schemas := s.huma.OpenAPI().Components.Schemas
	registerRaw(s, op{
		ID: "audit", Method: http.MethodGet, Path: "/v1/customers/{customer}/audit", Scope: ScopeOperate, Tags: []string{"audit"},
		Summary: "Check that no export is lost",
		Description: "Compares all records of the customer with the queue, without locking. Takes about ten seconds for 100,000 exports. With `application/json`, the response comes " +
			"at the end, with the first 1,000 violations. With `application/x-ndjson`, it sends a line every few seconds, then each violation, then the result or a problem. " +
			"Each process runs one check at a time.",
		Errors: []Code{CodeBusy},
	}, huma.Operation{
		Responses: map[string]*huma.Response{"200": {
			Description: "The result, or lines that end with the result.",
			Content: map[string]*huma.MediaType{
				"application/json":     {Schema: schemas.Schema(reflect.TypeFor[AuditReport](), true, "AuditReport")},
				"application/x-ndjson": {Schema: schemas.Schema(reflect.TypeFor[AuditLine](), true, "AuditLine")},
			},
		}},
	}, s.audit)
	register(s, op{
		ID: "list-journal", Method: http.MethodGet, Path: "/v1/journal", Scope: ScopeAdmin, Tags: []string{"audit"},
		Summary: "List the audit log",
		Description: "Every change made through the API or the CLI, newest first: one entry before the change (`asked`) and one after it. " +
			"A key limited to customers sees their entries. A page may be short or empty and still have a next one.",
		Errors: []Code{CodeCustomerUnknown},
	}, s.journal)
}

type journalInput struct {
	Customer string    `query:"customer" pattern:"^[0-9]{1,18}$" doc:"Only entries of this customer."`
	Who      string    `query:"who" maxLength:"200" doc:"Only entries of this API key or CLI user, by name."`
	What     string    `query:"what" maxLength:"100" doc:"Only entries of this operation." example:"put-connection"`
	Since    time.Time `query:"since" doc:"Only entries since this time."`
	Limit    int       `query:"limit" minimum:"1" maximum:"500" default:"100" doc:"Page size."`
	Cursor   string    `query:"cursor" maxLength:"100" doc:"The previous page's next."`
}

func (s *Server) journal(ctx context.Context, in *journalInput) (*struct{ Body store.AuditLogPage }, error) {
	p := principalOf(ctx)
	filter := store.AuditLogFilter{Customers: p.Customers, Who: in.Who, What: in.What, Since: in.Since, Limit: in.Limit, Cursor: in.Cursor}
	if in.Customer != "" {
		if !p.May(in.Customer) {
			return nil, problem(CodeCustomerUnknown, "")
		}
		filter.Customers = []string{in.Customer}
	}
	page, err := s.Ledger.AuditLog.Page(ctx, filter)
	if err != nil {
		return nil, err
	}
	// Attempts to change an unknown customer are recorded as well.
	if in.Customer != "" && len(page.Entries) == 0 && page.Next == "" {
		if err := s.Admin.Known(ctx, in.Customer); err != nil {
			return nil, err
		}
	}
	if p.Customers == nil && in.Cursor == "" {
		if page.Problems, err = s.Ledger.AuditLog.Check(ctx); err != nil {
			return nil, err
		}
	}
	return &struct{ Body store.AuditLogPage }{page}, nil
}
