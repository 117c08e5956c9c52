package icims_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/icims/icimstest"
)

// The simulator was written independently of the client. These tests compare the two
// interpretations of the API.

var placeholder = regexp.MustCompile(`\{[a-z]+\}`)

func TestTheSimulatorKnowsEveryOperation(t *testing.T) {
	known := map[string]bool{}
	for _, r := range icimstest.Routes() {
		known[r.Method+" "+placeholder.ReplaceAllString(r.Pattern, "{}")] = true
	}
	for _, op := range icims.Ops() {
		if !known[op.Method+" "+placeholder.ReplaceAllString(op.Pattern, "{}")] {
			t.Errorf("%s: no route %s %s", op.Name, op.Method, op.Pattern)
		}
	}
}

// simulator returns a hostile simulator with a portal of three jobs.
func simulator(t *testing.T) (*icimstest.Simulator, *icimstest.Tenant) {
	t.Helper()
	sim := icimstest.New(icimstest.Config{Seed: 7, Latency: icimstest.Latency{None: true}})
	tenant := sim.AddTenant(icimstest.TenantConfig{
		Customer: "1234", Username: "user", Password: "secret", HMACKey: "key", ClientID: "id", ClientSecret: "hidden",
	})
	tenant.AddPortal(1, "jobs")
	for i, title := range []string{"Data Engineer", "Nurse", "Welder"} {
		tenant.AddJob(icimstest.Job{ID: int64(1709 + i), Title: title, Portals: []int{1}, Number: "2026-1709"})
	}
	return sim, tenant
}

func dial(t *testing.T, sim *icimstest.Simulator, auth func(root string) icims.Auth, opts ...icims.Option) *icims.Client {
	t.Helper()
	srv := icimstest.NewServer(sim)
	root, err := url.Parse(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	hosts, err := icims.ParseHostPolicy(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	c, err := icims.New(root, "1234", auth(srv.URL), append([]icims.Option{icims.WithHosts(hosts)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.CloseIdleConnections(); srv.Close() })
	return c
}

func basic(string) icims.Auth { return icims.Basic("user", "secret") }

// TestEveryOperationOnce runs one export with password and with token, and checks that it used
// every operation.
func TestEveryOperationOnce(t *testing.T) {
	for name, auth := range map[string]func(string) icims.Auth{
		"basic": basic,
		"hmac":  func(string) icims.Auth { return icims.HMAC("user", []byte("key")) },
		"oauth": func(root string) icims.Auth {
			return icims.OAuth("id", "hidden", icims.OAuthTokenURL(root+"/oauth/token"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			used := map[string]bool{}
			note := func(next http.RoundTripper) http.RoundTripper {
				return roundTrip(func(r *http.Request) (*http.Response, error) {
					used[icims.OpOf(r.Context()).Name] = true
					return next.RoundTrip(r)
				})
			}
			sim, _ := simulator(t)
			c := dial(t, sim, auth, icims.WithMiddleware(note))
			ctx := t.Context()
			must := func(err error) {
				t.Helper()
				if err != nil {
					t.Fatal(err)
				}
			}

			customer, resp, err := c.Customer(ctx)
			must(err)
			if customer.ID != 1234 || !resp.Rate.Known || resp.Rate.Limit != 10_000 || resp.Transaction == "" {
				t.Errorf("customer %+v, rate %+v, transaction %q", customer, resp.Rate, resp.Transaction)
			}
			schema, _, err := c.Schema(ctx, icims.SchemaPerson)
			must(err)
			if !slices.Contains(schema.Collections(), "workexperience") {
				t.Errorf("collections %v", schema.Collections())
			}
			jobs, err := c.PortalJobs(ctx, "jobs")
			must(err)
			if len(jobs) != 3 {
				t.Fatalf("jobs %v", jobs)
			}
			job, _, err := c.Job(ctx, jobs[0].ID)
			must(err)
			if job.Title != "Data Engineer" || job.Number != "2026-1709" {
				t.Errorf("job %+v", job)
			}
			found, _, err := c.SearchPeople(ctx, icims.EmailQuery(icims.OpExact, "ana.duarte@example.com"))
			must(err)
			if len(found) != 0 {
				t.Fatalf("found %v in an empty iCIMS", found)
			}
			id, _, err := c.CreatePerson(ctx, icims.Fields{
				"firstname": "Ana", "lastname": "Duarte", "email": "ana.duarte@example.com", "source": "SeekOut",
				"folder": icims.Fields{"id": icims.FolderActive},
				"phones": []icims.Fields{{"phonetype": icims.Fields{"value": "Mobile"}, "phonenumber": "+1 425 555 0143"}},
			})
			must(err)
			_, _, err = c.AddCollectionEntry(ctx, id, "phones", icims.Fields{"phonenumber": "+1 425 555 0199"})
			must(err)
			_, err = c.PatchPerson(ctx, id, icims.Fields{"lastname": "Costa"})
			must(err)
			person, _, err := c.Person(ctx, id, "firstname", "lastname", "email", "folder", "phones")
			must(err)
			if person.LastName != "Costa" || !person.Candidate() || person.Protected() || len(person.Phones) != 2 ||
				person.Phones[0].Type == nil || person.Phones[0].Type.Value != "Mobile" {
				t.Errorf("person %+v", person)
			}
			found, _, err = c.SearchPeople(ctx, icims.EmailQuery(icims.OpExact, "nobody@example.com", "ana.duarte@example.com"))
			must(err)
			if diff := cmp.Diff([]icims.PersonID{id}, found); diff != "" {
				t.Error(diff)
			}
			flow, _, err := c.CreateWorkflow(ctx, icims.Fields{
				"baseprofile": job.ID, "associatedprofile": id, "source": "SeekOut", "status": icims.Fields{"value": "Recruiter Submitted"},
			})
			must(err)
			flows, _, err := c.SearchWorkflows(ctx, icims.PersonJobQuery(id, job.ID))
			must(err)
			if diff := cmp.Diff([]icims.WorkflowID{flow}, flows); diff != "" {
				t.Error(diff)
			}
			linked, _, err := c.PairWorkflow(ctx, id, job.ID)
			must(err)
			if linked.ID != flow {
				t.Errorf("the pair has workflow %d, made was %d", linked.ID, flow)
			}
			got, _, err := c.Workflow(ctx, flow)
			must(err)
			if got.Person != id || got.Job != job.ID || !got.Status.Matches("Recruiter Submitted") {
				t.Errorf("workflow %+v", got)
			}
			_, err = c.PatchWorkflow(ctx, flow, icims.Fields{"status": icims.Fields{"id": got.Status.ID}})
			must(err)

			for _, op := range icims.Ops() {
				if !used[op.Name] {
					t.Errorf("%s was not used", op.Name)
				}
			}
		})
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestFaultsOfTheSimulator injects each fault into one create and one read. The class of the create
// must match its effect: after ClassRetry or ClassDefer no person may exist.
func TestFaultsOfTheSimulator(t *testing.T) {
	tests := []struct {
		fault        icimstest.Fault
		create, read icims.Class
	}{
		{icimstest.Error500Before, icims.ClassUnknown, icims.ClassRetry},
		{icimstest.Error500After, icims.ClassUnknown, icims.ClassRetry},
		{icimstest.TimeoutBefore, icims.ClassUnknown, icims.ClassRetry},
		{icimstest.TimeoutAfter, icims.ClassUnknown, icims.ClassRetry},
		{icimstest.ResetBefore, icims.ClassUnknown, icims.ClassRetry},
		{icimstest.ResetAfter, icims.ClassUnknown, icims.ClassRetry},
		{icimstest.Error503, icims.ClassUnknown, icims.ClassRetry},
		{icimstest.Error429, icims.ClassDefer, icims.ClassDefer},
		{icimstest.Error429Bare, icims.ClassDefer, icims.ClassDefer},
		{icimstest.RedirectElsewhere, icims.ClassUnknown, icims.ClassRetry},
		{icimstest.Page403, icims.ClassUnknown, icims.ClassRetry},
		{icimstest.Page404, icims.ClassUnknown, icims.ClassRetry},
		{icimstest.Page404After, icims.ClassUnknown, icims.ClassRetry},
		{icimstest.Unauthorized, icims.ClassCredentials, icims.ClassCredentials},
		{icimstest.AccessDenied404, icims.ClassAccess, icims.ClassAccess},
		{icimstest.TruncatedJSON, icims.ClassNone, icims.ClassRetry},
		{icimstest.OverlongJSON, icims.ClassNone, icims.ClassRetry},
	}
	for _, tt := range tests {
		t.Run(string(tt.fault), func(t *testing.T) {
			sim, tenant := simulator(t)
			timeout := icims.DefaultCallTimeout
			if tt.fault == icimstest.TimeoutBefore || tt.fault == icimstest.TimeoutAfter {
				timeout = 500 * time.Millisecond // the simulator answers these only after the client disconnects
			}
			c := dial(t, sim, basic, icims.WithCallTimeout(timeout), icims.WithMaxBody(64<<10))
			known := tenant.AddPerson(map[string]any{"firstname": "Bo", "lastname": "Lind", "email": "bo.lind@example.com"})
			for _, route := range []string{"people.create", "people.get"} {
				sim.AddRule(icimstest.Rule{Route: route, Fault: tt.fault})
			}
			_, _, err := c.CreatePerson(context.Background(), icims.Fields{"firstname": "Ana", "lastname": "Duarte", "email": "ana.duarte@example.com"})
			if icims.ClassOf(err) != tt.create || (err == nil) != (tt.create == icims.ClassNone) {
				t.Errorf("create: %v, want %s", err, tt.create)
			}
			exists := len(tenant.PeopleWithEmail("ana.duarte@example.com")) > 0
			switch icims.ClassOf(err) {
			case icims.ClassNone:
				if !exists {
					t.Error("a create succeeded without a person")
				}
			case icims.ClassUnknown:
			default:
				if exists {
					t.Errorf("a create failed with %v and the person exists", err)
				}
			}
			_, _, err = c.Person(context.Background(), icims.PersonID(known))
			if icims.ClassOf(err) != tt.read || (err == nil) != (tt.read == icims.ClassNone) {
				t.Errorf("read: %v, want %s", err, tt.read)
			}
			if e, ok := errors.AsType[*icims.Error](err); ok && e.Class == icims.ClassDefer && (e.RetryAfter <= 0 || e.RetryAfter > 24*time.Hour) {
				t.Errorf("retry after %s", e.RetryAfter)
			}
		})
	}
}
