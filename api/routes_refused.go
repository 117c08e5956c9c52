package api

import (
	"context"
	"net/http"
	"strconv"

	"github.com/seekout/icims-export/tasks"
	"github.com/seekout/icims-export/tasks/input"
)

func (s *Server) registerRefused() {
	register(s, op{
		ID: "list-refused-rows", Method: http.MethodGet, Path: "/v1/customers/{customer}/batches/{batch}/refused", Scope: ScopeRead, Tags: []string{"batches"},
		Errors:  []Code{CodeNoBatch, CodeCannotOpen},
		Summary: "List a batch's refused rows",
		Description: "In input order, with field, problem and remedy, without the row's values. The first 10,000 are kept as long as the batch; if the batch was sent several times, those of the last " +
			"complete request. Batches from before this feature have none.",
	}, s.listRefused)
}

type listRefusedInput struct {
	BatchPath

	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"200" doc:"Page size."`
	Cursor string `query:"cursor" maxLength:"20" doc:"The previous page's next."`
}

// RefusedList is a page of a batch's refused rows.
type RefusedList struct {
	RefusedRows int             `json:"refused_rows" doc:"Refused rows, including those that are not kept."`
	Refused     []input.Refusal `json:"refused"`
	Next        string          `json:"next,omitempty" doc:"The cursor of the next page; omitted on the last page."`
}

type listRefusedOutput struct{ Body RefusedList }

func (s *Server) listRefused(ctx context.Context, in *listRefusedInput) (*listRefusedOutput, error) {
	from, err := rowOf(in.Cursor)
	if err != nil {
		return nil, err
	}
	b, err := s.Ledger.Batches.Get(ctx, in.id())
	if err != nil {
		return nil, err
	}
	rows, more, err := s.Ledger.Batches.RefusedRows(ctx, b.ID, from, in.Limit)
	if err != nil {
		return nil, err
	}
	out := RefusedList{RefusedRows: b.Refused, Refused: make([]input.Refusal, len(rows))}
	for i, row := range rows {
		out.Refused[i] = tasks.RefusalOf(row)
	}
	if more {
		out.Next = "r" + strconv.Itoa(from+len(rows))
	}
	return &listRefusedOutput{out}, nil
}
