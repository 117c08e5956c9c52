package api

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/verify"
)

const testPassword = "hunter2-hunter2"

// aConnection returns a valid connection body. changes alternates names and values; nil removes a
// setting.
func aConnection(changes ...any) map[string]any {
	body := map[string]any{
		"username": "export-user", "password": testPassword, "why": "a new customer",
		"portal_urls": "https://api.icims.com/customers/1234/search/portals/1?staleness=0",
	}
	for i := 0; i+1 < len(changes); i += 2 {
		name, _ := changes[i].(string)
		if body[name] = changes[i+1]; changes[i+1] == nil {
			delete(body, name)
		}
	}
	return body
}

const connectionPathOf1234 = "/v1/customers/1234/connection"

func TestConnectionOverTheAPI(t *testing.T) {
	r := newRig(t)
	asAdmin, reader := r.key(ScopeAdmin), r.key(ScopeRead, "1234")
	r.call(reader, http.MethodGet, connectionPathOf1234, nil).problem(CodeNoConnection)
	r.call(reader, http.MethodGet, connectionPathOf1234+"/history", nil).problem(CodeNoConnection)

	var c Connection
	added := r.call(asAdmin, http.MethodPut, connectionPathOf1234, aConnection("limits", map[string]any{"in_flight": 2}), "If-None-Match", "*")
	added.is(http.StatusCreated, &c)
	if c.Revision != 1 || c.State != "new" || c.Region != "US" || len(c.Portals) != 1 || added.Header.Get("ETag") != `"1"` {
		t.Errorf("added: %+v", c)
	}
	if c.Settings.Limits.InFlight != 2 || c.Settings.Source != "" || c.InUse.Source != store.DefaultSource || c.InUse.Limits.Burst != store.DefaultBurst {
		t.Errorf("settings and defaults: %+v, %+v", c.Settings, c.InUse)
	}
	r.call(asAdmin, http.MethodPut, connectionPathOf1234, aConnection(), "If-None-Match", "*").problem(CodeConnectionExists)

	edit := aConnection("password", nil, "source", "Sourced", "why", "they asked")
	r.call(asAdmin, http.MethodPut, connectionPathOf1234, edit, "If-Match", `"7"`).problem(CodeConnectionChanged)
	r.call(asAdmin, http.MethodPut, connectionPathOf1234, edit, "If-Match", `W/"1"`).is(http.StatusOK, &c)
	c = Connection{}
	r.call(asAdmin, http.MethodPut, connectionPathOf1234, edit, "If-Match", "*").is(http.StatusOK, &c)
	if c.Revision != 2 || c.Settings.Source != "Sourced" || c.Settings.Limits != nil {
		t.Errorf("edited: %+v", c)
	}
	if kept, err := r.Ledger.Connections.Get(t.Context(), "1234"); err != nil || kept.Password != testPassword {
		t.Errorf("a blank password replaced the old one: %v", err)
	}
	shown := r.call(reader, http.MethodGet, connectionPathOf1234, nil)
	shown.is(http.StatusOK, &c)
	if shown.Header.Get("ETag") != `"2"` || strings.Contains(string(shown.body), testPassword) || strings.Contains(string(shown.body), "password") {
		t.Errorf("shown: %s", shown.body)
	}

	var history ConnectionHistory
	r.call(reader, http.MethodGet, connectionPathOf1234+"/history", nil).is(http.StatusOK, &history)
	if len(history.Events) != 2 || history.Events[0].What != "edited" || history.Events[0].Why != "they asked" || history.Events[0].Who != "test admin" {
		t.Errorf("history: %+v", history)
	}

	r.call(asAdmin, http.MethodDelete, connectionPathOf1234, nil).problem(CodeInvalid)
	var removal admin.Removal
	r.call(asAdmin, http.MethodDelete, connectionPathOf1234+"?dry_run=true", nil).is(http.StatusOK, &removal)
	r.call(asAdmin, http.MethodDelete, connectionPathOf1234+"?why=they+left", nil, "If-Match", `"1"`).problem(CodeConnectionChanged)
	removal = admin.Removal{}
	r.call(asAdmin, http.MethodDelete, connectionPathOf1234+"?exports=cancel&markers=erase&why=they+left", nil, "If-Match", `"2"`).is(http.StatusOK, &removal)
	if removal.DryRun || removal.Exports == nil || removal.Markers == nil {
		t.Errorf("removed: %+v", removal)
	}
	r.call(asAdmin, http.MethodDelete, connectionPathOf1234+"?why=a+removal+can+be+repeated", nil).is(http.StatusOK, nil)
	c = Connection{}
	r.call(reader, http.MethodGet, connectionPathOf1234, nil).is(http.StatusOK, &c)
	if c.State != "removed" || c.Settings != (ConnectionSettings{}) || c.InUse != (ConnectionSettings{}) {
		t.Errorf("removed: %+v", c)
	}
	r.call(asAdmin, http.MethodPut, connectionPathOf1234, aConnection("why", nil)).is(http.StatusCreated, &c)
	if strings.Contains(r.log.String(), testPassword) {
		t.Error("the password is in the log")
	}
}

func TestInvalidConnectionNamesEachField(t *testing.T) {
	r := newRig(t)
	asAdmin := r.key(ScopeAdmin)
	for name, c := range map[string]struct {
		body   any
		code   Code
		fields []string
		remedy string
	}{
		"all problems at once": {
			aConnection("username", "a:b", "portal_urls", "https://api.icims.com/customers/99/search/portals/1", "linkedin_field", "My Field"), CodeConnectionInvalid,
			[]string{"username", "portal_urls", "linkedin_field"}, "colon",
		},
		"another host":        {aConnection("portal_urls", "https://icims.example.com/customers/1234/search/portals/1"), CodeConnectionInvalid, []string{"portal_urls"}, ""},
		"no password":         {aConnection("password", nil), CodeConnectionInvalid, []string{"password"}, "enter the password"},
		"no calls at all":     {aConnection("limits", map[string]any{"calls_per_second": 0}), CodeInvalid, []string{"limits.calls_per_second"}, "use more than 0"},
		"all of the day kept": {aConnection("limits", map[string]any{"express_reserve": 100}), CodeInvalid, []string{"limits.express_reserve"}, "use at most 90"},
		"a misspelt setting":  {aConnection("limits", map[string]any{"inflight": 3}), CodeInvalid, []string{"limits"}, "in_flight"},
		"half a body":         {`{"username":"x`, CodeMalformed, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			response := r.call(asAdmin, http.MethodPut, connectionPathOf1234, c.body)
			p := response.problem(c.code)
			if strings.Contains(string(response.body), testPassword) || strings.Contains(string(response.body), "a:b") {
				t.Errorf("it repeats what was sent: %s", response.body)
			}
			said := ""
			for _, f := range p.Errors {
				said += f.Problem + " " + f.Remedy + "\n"
			}
			if len(p.Errors) != len(c.fields) || !strings.Contains(said, c.remedy) {
				t.Fatalf("got %s", response.body)
			}
			for i, field := range c.fields {
				if p.Errors[i].Field != field {
					t.Errorf("field %d is %s, want %s", i, p.Errors[i].Field, field)
				}
			}
		})
	}
	t.Run("an edit without a why", func(t *testing.T) {
		r.call(asAdmin, http.MethodPut, connectionPathOf1234, aConnection()).is(http.StatusCreated, nil)
		if p := r.call(asAdmin, http.MethodPut, connectionPathOf1234, aConnection("why", " ", "source", "x")).problem(CodeInvalid); p.Errors[0].Field != "why" {
			t.Errorf("%+v", p)
		}
	})
	t.Run("an edit that would send the old password elsewhere", func(t *testing.T) {
		p := r.call(asAdmin, http.MethodPut, connectionPathOf1234, aConnection("password", nil, "auth", "hmac")).problem(CodeConnectionInvalid)
		if len(p.Errors) != 1 || p.Errors[0].Field != "password" {
			t.Errorf("%+v", p)
		}
	})
	t.Run("an invalid revision", func(t *testing.T) {
		r.call(asAdmin, http.MethodPut, connectionPathOf1234, aConnection(), "If-Match", `"latest"`).problem(CodeInvalid)
	})
}

func TestConnectionsAreListedPageByPage(t *testing.T) {
	r := newRig(t)
	asAdmin := r.key(ScopeAdmin)
	for _, customer := range []string{"1234", "77", "100000", "5"} {
		body := aConnection("portal_urls", "https://api.icims.com/customers/"+customer+"/search/portals/1")
		r.call(asAdmin, http.MethodPut, "/v1/customers/"+customer+"/connection", body).is(http.StatusCreated, nil)
	}
	r.call(asAdmin, http.MethodDelete, "/v1/customers/5/connection?why=x", nil).is(http.StatusOK, nil)
	for name, c := range map[string]struct {
		key, query string
		want       string // customers of each page
	}{
		"all":          {asAdmin, "", "77,1234,100000"},
		"in two pages": {asAdmin, "limit=2", "77,1234|100000"},
		"one by one":   {asAdmin, "limit=1&removed=true", "5|77|1234|100000"},
		"of a key":     {r.key(ScopeRead, "77", "5", "99"), "", "77"},
		"of none":      {r.key(ScopeRead, "99"), "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			var pages []string
			for cursor := ""; ; {
				var page Connections
				r.call(c.key, http.MethodGet, "/v1/connections?"+c.query+cursor, nil).is(http.StatusOK, &page)
				var customers []string
				for _, conn := range page.Connections {
					customers = append(customers, conn.Customer)
				}
				pages = append(pages, strings.Join(customers, ","))
				if page.Next == "" {
					break
				}
				cursor = "&cursor=" + page.Next
			}
			if got := strings.Join(pages, "|"); got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

// filed gives the API a connections file with these customers.
func filed(customers ...string) func(*Deps) {
	file := map[string]store.Connection{}
	for _, customer := range customers {
		file[customer] = store.Connection{
			Customer: customer, Username: "file-user", Password: testPassword, PortalURLs: "https://api.icims.com/customers/" + customer + "/search/portals/1",
		}
	}
	return func(d *Deps) {
		d.Admin = admin.New(admin.Config{Redis: d.Redis, Ledger: d.Ledger, Filed: func() map[string]store.Connection { return file }})
	}
}

func TestFileConnectionIsShownWithoutStoredOne(t *testing.T) {
	r := newRig(t, filed("88", "1234", "77", "99"))
	asAdmin := r.key(ScopeAdmin)
	for _, customer := range []string{"99", "1234", "200"} {
		body := aConnection("portal_urls", "https://api.icims.com/customers/"+customer+"/search/portals/1")
		r.call(asAdmin, http.MethodPut, "/v1/customers/"+customer+"/connection", body).is(http.StatusCreated, nil)
	}
	r.call(asAdmin, http.MethodDelete, "/v1/customers/99/connection?why=removed+counts+as+well", nil).is(http.StatusOK, nil)

	list := func(key, query string) string {
		t.Helper()
		var page Connections
		r.call(key, http.MethodGet, "/v1/connections?"+query, nil).is(http.StatusOK, &page)
		said := ""
		for _, c := range page.Connections {
			said += fmt.Sprintf("%s %s %t\n", c.Customer, c.State, c.Filed)
		}
		return said + page.Next
	}
	for query, want := range map[string]string{
		"":                     "77 absent true\n88 absent true\n200 new false\n1234 new false\n",
		"limit=1":              "77 absent true\n77",
		"limit=1&cursor=77":    "88 absent true\n88",
		"removed=true&limit=3": "77 absent true\n88 absent true\n99 removed false\n99",
	} {
		if got := list(asAdmin, query); got != want {
			t.Errorf("%q lists\n%s\nwant\n%s", query, got, want)
		}
	}
	if got := list(r.key(ScopeRead, "88"), ""); got != "88 absent true\n" {
		t.Errorf("to a key of one customer it lists %s", got)
	}

	var c Connection
	shown := r.call(r.key(ScopeRead), http.MethodGet, "/v1/customers/77/connection", nil)
	shown.is(http.StatusOK, &c)
	if !c.Filed || c.State != string(store.ConnectionAbsent) || c.Revision != 0 || c.Settings.Username != "file-user" || c.Settings.Source != "" || c.InUse.Source != store.DefaultSource || c.Region != "US" || len(c.Portals) != 1 {
		t.Errorf("shown: %s", shown.body)
	}
	if strings.Contains(string(shown.body), testPassword) || shown.Header.Get("ETag") != "" {
		t.Errorf("a password, or %q as its revision: %s", shown.Header.Get("ETag"), shown.body)
	}
	r.call(asAdmin, http.MethodDelete, "/v1/customers/77/connection?why=x", nil).problem(CodeNoConnection)
	body := aConnection("portal_urls", "https://api.icims.com/customers/77/search/portals/1")
	r.call(asAdmin, http.MethodPut, "/v1/customers/77/connection", body, "If-None-Match", "*").is(http.StatusCreated, nil)
	c = Connection{}
	r.call(asAdmin, http.MethodGet, "/v1/customers/77/connection", nil).is(http.StatusOK, &c)
	if c.Filed || c.Settings.Username != "export-user" {
		t.Errorf("once another is entered: %+v", c)
	}
}

func TestConnectionShowsLatestVerification(t *testing.T) {
	r := newRig(t)
	asAdmin := r.key(ScopeAdmin)
	for _, customer := range []string{"77", "1234"} {
		body := aConnection("portal_urls", "https://api.icims.com/customers/"+customer+"/search/portals/1")
		r.call(asAdmin, http.MethodPut, "/v1/customers/"+customer+"/connection", body).is(http.StatusCreated, nil)
	}
	verified := func(checks ...verify.Check) store.ControlTask {
		t.Helper()
		if _, _, err := r.Ledger.Control.Record(t.Context(), "1234", store.ControlVerify, verify.Args{}, "maria"); err != nil {
			t.Fatal(err)
		}
		claim := r.begun("1234")
		report := verify.Report{Result: verify.ResultDegraded, Checks: checks}
		if err := r.Ledger.Control.Step(t.Context(), claim, store.ControlStep{To: store.ControlDone, Result: report}); err != nil {
			t.Fatal(err)
		}
		e, err := r.Ledger.Control.Get(t.Context(), "1234", store.ControlVerify, claim.ID)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	shown := func() (one, listed, other *Verified) {
		t.Helper()
		var c Connection
		r.call(asAdmin, http.MethodGet, connectionPathOf1234, nil).is(http.StatusOK, &c)
		var list Connections
		r.call(asAdmin, http.MethodGet, "/v1/connections", nil).is(http.StatusOK, &list)
		return c.Verified, list.Connections[1].Verified, list.Connections[0].Verified
	}
	if one, listed, _ := shown(); one != nil || listed != nil {
		t.Errorf("before any: %+v, %+v", one, listed)
	}
	bad := verify.Check{Name: verify.CheckCredentials, State: verify.Failed, Code: verify.CodeCredentials, Cause: "iCIMS refuses it.", Remedy: "Correct it."}
	verified(bad)
	e := verified(verify.Check{Name: verify.CheckReach, State: verify.OK}, bad)
	if _, _, err := r.Ledger.Control.Record(t.Context(), "1234", store.ControlVerify, verify.Args{}, "joe"); err != nil {
		t.Fatal(err)
	}
	one, listed, other := shown()
	want := &Verified{ID: e.ID, Ended: e.Ended.UTC(), Result: verify.ResultDegraded, Worst: &bad}
	if diff := cmp.Diff(want, one); diff != "" || other != nil {
		t.Errorf("while another one waits: %s, of another customer %+v", diff, other)
	}
	if diff := cmp.Diff(want, listed); diff != "" {
		t.Errorf("in the list: %s", diff)
	}
	fine := verified(verify.Check{Name: verify.CheckReach, State: verify.OK})
	if one, _, _ := shown(); one.ID != fine.ID || one.Worst != nil {
		t.Errorf("one that found nothing: %+v", one)
	}
}

// A stored report may come from another version of the service.
func TestUnreadableVerificationIsLeftOut(t *testing.T) {
	r := newRig(t)
	asAdmin := r.key(ScopeAdmin)
	var unreadable string
	for customer, result := range map[string]any{"77": verify.Report{Result: verify.ResultConnected}, "1234": "Secretname"} {
		body := aConnection("portal_urls", "https://api.icims.com/customers/"+customer+"/search/portals/1")
		r.call(asAdmin, http.MethodPut, "/v1/customers/"+customer+"/connection", body).is(http.StatusCreated, nil)
		if _, _, err := r.Ledger.Control.Record(t.Context(), customer, store.ControlVerify, verify.Args{}, "maria"); err != nil {
			t.Fatal(err)
		}
		claim := r.begun(customer)
		if err := r.Ledger.Control.Step(t.Context(), claim, store.ControlStep{To: store.ControlDone, Result: result}); err != nil {
			t.Fatal(err)
		}
		if customer == "1234" {
			unreadable = claim.ID
		}
	}
	var c Connection
	r.call(asAdmin, http.MethodGet, connectionPathOf1234, nil).is(http.StatusOK, &c)
	var list Connections
	r.call(asAdmin, http.MethodGet, "/v1/connections", nil).is(http.StatusOK, &list)
	if c.Verified != nil || len(list.Connections) != 2 || list.Connections[0].Verified == nil || list.Connections[1].Verified != nil {
		t.Errorf("%+v, in the list %+v", c, list)
	}
	if log := r.log.String(); !strings.Contains(log, `"customer":"1234","verification":"`+unreadable+`","error":"*errors.errorString"`) || strings.Contains(log, "Secretname") {
		t.Errorf("the log: %s", log)
	}
}
