package api

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/store"
)

type putConnectionInput struct {
	CustomerPath
	RevisionMatch

	IfNoneMatch string `header:"If-None-Match" enum:"*" doc:"* adds a connection only if the customer has none."`
	Body        struct {
		ConnectionSettings

		Password string `json:"password,omitempty" maxLength:"65536" writeOnly:"true" format:"password" doc:"The API user's password; for hmac the shared key, for oauth the client secret. If omitted, an edit keeps the current one."`
		Why      string `json:"why,omitempty" maxLength:"1000" doc:"The reason. Required for an edit."`
	}
}

// editTries limits how often an edit of any revision is repeated after concurrent edits.
const editTries = 3

func (s *Server) putConnection(ctx context.Context, in *putConnectionInput) (*connectionOutput, error) {
	revision, err := in.revision()
	if err != nil {
		return nil, err
	}
	c := in.Body.connection(in.Customer)
	c.Password = store.Secret(in.Body.Password)
	for try := 1; ; try++ {
		out, err := s.enterConnection(ctx, in, c, revision)
		_, changed := errors.AsType[*store.ConnectionChangedError](err)
		if again := changed || errors.Is(err, store.ErrConnectionExists) && in.IfNoneMatch == ""; !again || revision != 0 || try == editTries {
			return out, err
		}
	}
}

// enterConnection adds the connection, or edits an existing one.
func (s *Server) enterConnection(ctx context.Context, in *putConnectionInput, c store.Connection, revision int64) (*connectionOutput, error) {
	p := principalOf(ctx)
	before, err := s.Ledger.Connections.Get(ctx, in.Customer)
	switch {
	case errors.Is(err, store.ErrNoConnection), err == nil && !before.Below().Kept():
		if in.IfMatch != "" {
			return nil, problem(CodeConnectionChanged, "The customer has no connection.")
		}
		added, err := s.Admin.Connections.Add(ctx, c, p.Name, in.Body.Why)
		if err != nil {
			return nil, err
		}
		return shownConnection(http.StatusCreated, admin.ViewConnection(added, s.Hosts)), nil
	case err != nil && !errors.Is(err, store.ErrSealed):
		return nil, err
	case in.IfNoneMatch != "":
		return nil, store.ErrConnectionExists
	case revision != 0 && revision != before.Revision:
		return nil, &store.ConnectionChangedError{Customer: in.Customer, Revision: before.Revision}
	case strings.TrimSpace(in.Body.Why) == "":
		return nil, whyMissing("why")
	}
	edited, err := s.Admin.Connections.Edit(ctx, before, c, p.Name, in.Body.Why)
	if err != nil {
		return nil, err
	}
	return shownConnection(http.StatusOK, admin.ViewConnection(edited, s.Hosts)), nil
}

// whyMissing refuses a change without a reason.
func whyMissing(field string) error {
	return problem(CodeInvalid, "", FieldProblem{field, "is missing", "give a reason for the audit log"})
}

type deleteConnectionInput struct {
	CustomerPath
	RevisionMatch

	Exports  string `query:"exports" enum:"keep,cancel" default:"keep" doc:"Waiting exports: keep them until the customer has a connection again, or cancel them."`
	Markers  string `query:"markers" enum:"keep,erase" default:"keep" doc:"Records of exported candidates: keep, or erase so that the same candidates can be exported again."`
	DryRun   bool   `query:"dry_run" doc:"Only return what would be done."`
	Patience int    `query:"patience" minimum:"0" maximum:"30" default:"5" doc:"Seconds to wait for running exports."`
	Why      string `query:"why" maxLength:"200" doc:"The reason, recorded in the audit log. Required unless it is a dry run. It must not contain personal data: URLs are logged."`
}

func (in *deleteConnectionInput) changesNothing() bool { return in.DryRun }

func (s *Server) deleteConnection(ctx context.Context, in *deleteConnectionInput) (*struct{ Body admin.Removal }, error) {
	if strings.TrimSpace(in.Why) == "" && !in.DryRun {
		return nil, whyMissing("query.why")
	}
	revision, err := in.revision()
	if err != nil {
		return nil, err
	}
	removal, err := s.Admin.Connections.Remove(ctx, in.Customer, admin.RemovalOrder{
		Who: principalOf(ctx).Name, Why: in.Why, Revision: revision, CancelExports: in.Exports == "cancel", EraseMarkers: in.Markers == "erase",
		Patience: time.Duration(in.Patience) * time.Second, DryRun: in.DryRun,
	})
	if err != nil {
		return nil, err
	}
	return &struct{ Body admin.Removal }{removal}, nil
}
