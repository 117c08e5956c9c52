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
		Summary: "Prove that no export is lost",
		Description: "Walks over all records of the customer and of the queue, without a lock, and takes about ten seconds for 100,000 exports. As `application/json` it answers " +
			"when it is done, with the first 1,000 violations; as `application/x-ndjson` it sends a line every few seconds, then all violations one by one, and last the result or a problem. " +
			"One audit at a time is made by each process.",
		Errors: []Code{CodeBusy},
	}, huma.Operation{
		Responses: map[string]*huma.Response{"200": {
			Description: "The result, or lines that end with it.",
			Content: map[string]*huma.MediaType{
				"application/json":     {Schema: schemas.Schema(reflect.TypeFor[AuditReport](), true, "AuditReport")},
				"application/x-ndjson": {Schema: schemas.Schema(reflect.TypeFor[AuditLine](), true, "AuditLine")},
			},
		}},
	}, s.audit)
	register(s, op{
		ID: "list-journal", Method: http.MethodGet, Path: "/v1/journal", Scope: ScopeAdmin, Tags: []string{"audit"},
		Summary: "Tell who changed what",
		Description: "Every change that was made over the API or at the command line, the latest first, page by page: once before it (`asked`) and once after it. " +
			"A key that is bound to customers sees what was done for these. A page may be short, or even empty, and still have a next one.",
		Errors: []Code{CodeCustomerUnknown},
	}, s.journal)
}

type journalInput struct {
	Customer string    `query:"customer" pattern:"^[0-9]{1,18}$" doc:"Only what was done for this customer."`
	Who      string    `query:"who" maxLength:"200" doc:"Only what was done by this one: the name of an API key, or of a user at the command line."`
	What     string    `query:"what" maxLength:"100" doc:"Only this operation." example:"put-connection"`
	Since    time.Time `query:"since" doc:"Only what was done since."`
	Limit    int       `query:"limit" minimum:"1" maximum:"500" default:"100" doc:"How many at most."`
	Cursor   string    `query:"cursor" maxLength:"100" doc:"The next of the page before."`
}

func (s *Server) journal(ctx context.Context, in *journalInput) (*struct{ Body store.JournalPage }, error) {
	p := principalOf(ctx)
	filter := store.JournalFilter{Customers: p.Customers, Who: in.Who, What: in.What, Since: in.Since, Limit: in.Limit, Cursor: in.Cursor}
	if in.Customer != "" {
		if !p.May(in.Customer) {
			return nil, problem(CodeCustomerUnknown, "")
		}
		filter.Customers = []string{in.Customer}
	}
	page, err := s.Ledger.Journal(ctx, filter)
	if err != nil {
		return nil, err
	}
	// An attempt to change something for an unknown customer has entries as well.
	if in.Customer != "" && len(page.Entries) == 0 && page.Next == "" {
		if err := s.Desk.Known(ctx, in.Customer); err != nil {
			return nil, err
		}
	}
	if p.Customers == nil && in.Cursor == "" {
		if page.Problems, err = s.Ledger.CheckJournal(ctx); err != nil {
			return nil, err
		}
	}
	return &struct{ Body store.JournalPage }{page}, nil
}
