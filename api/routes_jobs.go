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
		Summary: "List jobs",
		Description: "The jobs of all portals of the connection, without duplicates. The list is cached: an old list (`stale`) is returned while it refreshes " +
			"in the background. If no list has been loaded yet, the request waits for `wait` seconds. Each title costs one of the customer's daily calls, so titles are " +
			"loaded once, and again after the job changes in iCIMS.",
		Errors: []Code{CodeNoConnection},
	}, s.listJobs)
	register(s, op{
		ID: "refresh-jobs", Method: http.MethodPost, Path: "/v1/customers/{customer}/jobs/refresh", Scope: ScopeExport, Changes: true, Tags: []string{"jobs"},
		Summary: "Refresh jobs",
		Description: "Refreshes the list regardless of its age, or joins a running refresh. If the day's share of calls for lists is used up, a list younger than ten minutes (setting " +
			"`jobs_max_age`) is kept.",
		Errors: []Code{CodeNoConnection},
	}, s.refreshJobs)
}

type jobsInput struct {
	CustomerPath

	Text   string `query:"q" maxLength:"200" doc:"Words in title, requisition number or location, in any order, ignoring case and accents; or the beginning of an ID."`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"Page size."`
	Cursor string `query:"cursor" pattern:"^[0-9]{1,18}$" doc:"The previous page's next."`
	Wait   string `query:"wait" pattern:"^([0-9]|[12][0-9]|30)s?$" default:"10s" doc:"Seconds to wait if no list has been loaded yet, at most 30."`
}

func (s *Server) listJobs(ctx context.Context, in *jobsInput) (*struct{ Body jobs.ListPage }, error) {
	response, err := s.jobsOf(ctx, in.Customer, jobs.Query{Text: in.Text, Limit: in.Limit, Cursor: in.Cursor, Wait: seconds(in.Wait)})
	if err != nil {
		return nil, err
	}
	return &struct{ Body jobs.ListPage }{response}, nil
}

func (s *Server) refreshJobs(ctx context.Context, in *struct {
	CustomerPath

	Wait string `query:"wait" pattern:"^([0-9]|[12][0-9]|30)s?$" default:"0s" doc:"Seconds to wait for the list, without titles; at most 30."`
}) (*struct{ Body jobs.ListState }, error) {
	response, err := s.jobsOf(ctx, in.Customer, jobs.Query{Limit: 1, Wait: seconds(in.Wait), Refresh: true})
	if err != nil {
		return nil, err
	}
	return &struct{ Body jobs.ListState }{response.ListState}, nil
}

// jobsOf lists jobs. A waiting request gets the current list when the server stops.
func (s *Server) jobsOf(ctx context.Context, customer string, q jobs.Query) (jobs.ListPage, error) {
	q.By, q.Hurry = principalOf(ctx).Name, s.closing()
	return s.Admin.Jobs.List(ctx, customer, q)
}

// seconds parses a duration whose pattern was checked: "30s" or "30".
func seconds(text string) time.Duration {
	n, _ := strconv.Atoi(strings.TrimSuffix(text, "s"))
	return time.Duration(n) * time.Second
}
