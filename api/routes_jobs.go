package api

import (
	"context"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/seekout/icims-export/jobs"
)

func (s *Server) registerJobs() {
	register(s, op{
		ID: "list-jobs", Method: http.MethodGet, Path: "/v1/customers/{customer}/jobs", Scope: ScopeRead, Tags: []string{"jobs"},
		Summary: "List the jobs that candidates can be exported to",
		Description: "The jobs of all portals of the connection, each once, page by page. The list is kept: one that has become old (`stale`) is answered all the same, while it is read anew " +
			"in the background. Only where there is none yet the request waits, for as long as `wait` says. Titles cost a call each, of the customer's calls a day, so they are " +
			"read once, and again when iCIMS says that the job has changed.",
		Errors: []Code{CodeNoConnection},
	}, s.listJobs)
	register(s, op{
		ID: "refresh-jobs", Method: http.MethodPost, Path: "/v1/customers/{customer}/jobs/refresh", Scope: ScopeExport, Changes: true, Tags: []string{"jobs"},
		Summary: "Read the list of jobs from iCIMS anew",
		Description: "Whatever its age; where a refresh is under way already, it is that one. On a day whose share of calls for lists is spent, a list of less than ten minutes (setting " +
			"`jobs_max_age`) stays as it is.",
		Errors: []Code{CodeNoConnection},
	}, s.refreshJobs)
}

type jobsInput struct {
	CustomerPath

	Text   string `query:"q" maxLength:"200" doc:"Words to search for: in title, requisition number and location, in any order, without regard to case and accents; or the beginning of an id."`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"How many jobs at most."`
	Cursor string `query:"cursor" pattern:"^[0-9]{1,18}$" doc:"The next of the page before."`
	Wait   string `query:"wait" pattern:"^([0-9]|[12][0-9]|30)s?$" default:"10s" doc:"For how many seconds to wait where no list was read yet, at most 30."`
}

func (s *Server) listJobs(ctx context.Context, in *jobsInput) (*struct{ Body jobs.ListPage }, error) {
	answer, err := s.jobsOf(ctx, in.Customer, jobs.Query{Text: in.Text, Limit: in.Limit, Cursor: in.Cursor, Wait: seconds(in.Wait)})
	if err != nil {
		return nil, err
	}
	return &struct{ Body jobs.ListPage }{answer}, nil
}

func (s *Server) refreshJobs(ctx context.Context, in *struct {
	CustomerPath

	Wait string `query:"wait" pattern:"^([0-9]|[12][0-9]|30)s?$" default:"0s" doc:"For how many seconds to wait until the list has been read, titles aside; at most 30."`
}) (*struct{ Body jobs.ListState }, error) {
	answer, err := s.jobsOf(ctx, in.Customer, jobs.Query{Limit: 1, Wait: seconds(in.Wait), Refresh: true})
	if err != nil {
		return nil, err
	}
	return &struct{ Body jobs.ListState }{answer.ListState}, nil
}

// jobsOf asks for jobs. Whoever waits gets what there is when the server is stopped.
func (s *Server) jobsOf(ctx context.Context, customer string, q jobs.Query) (jobs.ListPage, error) {
	q.By, q.Hurry = principalOf(ctx).Name, s.closing()
	return s.Desk.Jobs.List(ctx, customer, q)
}

// seconds reads what a pattern has checked: "30s", or "30".
func seconds(text string) time.Duration {
	n, _ := strconv.Atoi(strings.TrimSuffix(text, "s"))
	return time.Duration(n) * time.Second
}
