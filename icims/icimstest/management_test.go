package icimstest

import (
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// manage sends a management request, without credentials.
func (b *bench) manage(method, path, body string) reply {
	b.t.Helper()
	req, err := http.NewRequest(method, b.url+"/_sim/"+path, strings.NewReader(body))
	if err != nil {
		b.t.Fatal(err)
	}
	return b.send(req)
}

func TestManagement(t *testing.T) {
	t.Run("requests do not count as calls", func(t *testing.T) {
		b := open(t, calm())
		if r := b.manage("GET", "health", ""); r.status != 200 || b.sim.CallCount() != 0 {
			t.Errorf("status %d, %d calls", r.status, b.sim.CallCount())
		}
	})
	t.Run("state counts records and calls by route", func(t *testing.T) {
		b := open(t, calm())
		b.createAna("")
		b.must(201, "POST", "/applicantworkflows", `{"baseprofile":1709,"associatedprofile":90001}`)
		got := b.manage("GET", "state", "").json(t)
		want := map[string]any{"calls": 2.0, "calls_by_route": map[string]any{"people.create": 1.0, "workflows.create": 1.0},
			"tenants": []any{map[string]any{"customer": "1234", "people": 1.0, "workflows": 1.0, "jobs": 3.0, "portals": 2.0, "limit": 10000.0, "remaining": 9998.0}}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("calls are listed by route, newest kept, without bodies by default", func(t *testing.T) {
		b := open(t, calm())
		for range 3 {
			b.createAna("")
		}
		b.must(200, "GET", "", "")
		got := b.manage("GET", "calls?route=people.create&limit=2&body=1", "").json(t)
		rows := got["calls"].([]any)
		last := rows[1].(map[string]any)
		if len(rows) != 2 || got["total"] != 4.0 || last["seq"] != 3.0 || last["section"] != "5.2" || last["body"] != ana+"}" || last["created"] != 90003.0 {
			t.Errorf("%v", got)
		}
		if body := b.manage("GET", "calls", "").body; strings.Contains(string(body), "Duarte") || strings.Contains(string(body), "Basic") {
			t.Errorf("%s", body)
		}
	})
	t.Run("faults are set", func(t *testing.T) {
		b := open(t, calm())
		b.manage("POST", "faults", `{"error503": 1, "search_lag": "3s"}`)
		b.must(503, "GET", "", "")
		if lag := b.sim.faults.Load().SearchLag.Seconds(); lag != 3 {
			t.Error(lag)
		}
	})
	t.Run("rules are added and dropped", func(t *testing.T) {
		b := open(t, calm())
		b.manage("POST", "rules", `{"route": "customers.get", "fault": "error503", "times": -1}`)
		b.must(503, "GET", "", "")
		b.manage("DELETE", "rules", "")
		b.must(200, "GET", "", "")
	})
	t.Run("people are seeded, merged and purged", func(t *testing.T) {
		b := open(t, calm())
		got := b.manage("POST", "people", `{"customer":"1234","people":[{"firstname":"Ana","email":"a@example.com"},{"email":"b@example.com","phones":[{"phonenumber":"1"}]}]}`).json(t)
		if diff := cmp.Diff(map[string]any{"ids": []any{90001.0, 90002.0}}, got); diff != "" {
			t.Error(diff)
		}
		b.manage("POST", "merge", `{"customer":"1234","discarded":90001,"primary":90002}`)
		if p, _ := b.tenant.Person(90001); !strings.HasPrefix(p["firstname"].(string), "Merged with 90002 - ") {
			t.Error(p)
		}
		b.manage("POST", "purge", `{"customer":"1234","person":90001}`)
		if _, there := b.tenant.Person(90001); there {
			t.Error("the purged person is still there")
		}
	})
	t.Run("a daily limit is set and spent", func(t *testing.T) {
		b := open(t, calm())
		b.manage("POST", "limits", `{"customer":"1234","limit":5,"spend":4}`)
		b.must(200, "GET", "", "")
		b.must(429, "GET", "", "")
	})
	t.Run("an address is blocked and unblocked", func(t *testing.T) {
		b := open(t, calm())
		b.manage("POST", "block?customer=1234", "")
		b.must(403, "GET", "", "")
		b.manage("POST", "unblock?customer=1234", "")
		b.must(200, "GET", "", "")
	})
	t.Run("tenants are added", func(t *testing.T) {
		b := open(t, calm())
		b.manage("POST", "tenants", `{"tenants":[{"customer":"77","username":"u","password":"p","daily_limit":9}]}`)
		if tenant := b.sim.Tenant("77"); tenant == nil || tenant.quota.day.Limit != 9 {
			t.Error("no such tenant")
		}
	})
	t.Run("people and workflows are listed", func(t *testing.T) {
		b := open(t, calm())
		b.createAna("")
		b.must(201, "POST", "/applicantworkflows", `{"baseprofile":1709,"associatedprofile":90001}`)
		for path, want := range map[string]string{"people?customer=1234": `"id":90001`, "workflows?customer=1234": `"job":1709`} {
			if r := b.manage("GET", path, ""); r.status != 200 || !strings.Contains(string(r.body), want) {
				t.Errorf("%s: %d %s", path, r.status, r.body)
			}
		}
	})
	t.Run("a reset keeps jobs, portals and configured people", func(t *testing.T) {
		b := open(t, calm(), func(c *TenantConfig) { c.People = []map[string]any{{"firstname": "Bo", "email": "bo@example.com"}} })
		b.createAna("")
		b.sim.AddRule(Rule{Fault: Error503, Times: -1})
		b.manage("POST", "reset", "")
		st := b.sim.State()
		if st.Calls != 0 || st.Tenants[0].People != 1 || st.Tenants[0].Jobs != 3 || st.Tenants[0].Remaining != 10000 {
			t.Errorf("%+v", st)
		}
		b.must(200, "GET", "", "")
	})
	t.Run("a reset of the calls alone keeps the people", func(t *testing.T) {
		b := open(t, calm())
		b.createAna("")
		b.manage("POST", "reset?only=calls", "")
		if st := b.sim.State(); st.Calls != 0 || st.Tenants[0].People != 1 {
			t.Errorf("%+v", st)
		}
	})
	for name, bad := range map[string][3]string{
		"an unknown endpoint": {"GET", "nothing", ""},
		"an unknown fault":    {"POST", "rules", `{"fault":"sunspots"}`},
		"a rule for no route": {"POST", "rules", `{"fault":"error503","route":"people.delete"}`},
		"an unknown setting":  {"POST", "faults", `{"sunspots":1}`},
		"an unknown customer": {"POST", "people", `{"customer":"9","people":[]}`},
		"an unknown field":    {"POST", "people", `{"customer":"1234","people":[{"shoesize":"1"}]}`},
		"an impossible merge": {"POST", "merge", `{"customer":"1234","discarded":1,"primary":1}`},
		"a tenant without id": {"POST", "tenants", `{"tenants":[{"username":"u","password":"p"}]}`},
		"a limit in words":    {"GET", "calls?limit=many", ""},
	} {
		t.Run(name+" is refused with a reason", func(t *testing.T) {
			b := open(t, calm())
			if r := b.manage(bad[0], bad[1], bad[2]); r.status < 400 || r.json(t)["error"] == "" {
				t.Errorf("%d %s", r.status, r.body)
			}
		})
	}
}

func TestLoadTenants(t *testing.T) {
	const file = `
tenants:
  - customer: "1234"
    username: export-user
    password: secret
    sources: [SeekOut]
    linkedin_field: field51001
    behaviour: {duplicate_email: reject409}
    portals: [{id: 1, name: jobs}]
    jobs: [{id: 1709, title: Data Engineer, portals: [1]}]
    people: [{firstname: Ana, email: ana@example.com}]
`
	tenants, err := LoadTenants(strings.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	sim := New(calm())
	tenant := sim.AddTenant(tenants[0])
	if st := sim.State().Tenants[0]; st.People != 1 || st.Jobs != 1 || st.Portals != 1 {
		t.Errorf("%+v", st)
	}
	if b := tenant.behaviour; b.DuplicateEmail != Reject409 || b.DuplicateWorkflow != Reject400 {
		t.Errorf("%+v", b)
	}
	for name, bad := range map[string]string{
		"no tenants":             "tenants: []",
		"an unknown name":        "tenants: [{customer: \"1\", username: u, password: p, colour: red}]",
		"a customer in words":    "tenants: [{customer: acme, username: u, password: p}]",
		"a misspelled behaviour": "tenants: [{customer: \"1\", username: u, password: p, behaviour: {duplicate_email: reject}}]",
		"an unknown route":       "tenants: [{customer: \"1\", username: u, password: p, denied_routes: [people.delete]}]",
		"no password":            "tenants: [{customer: \"1\", username: u}]",
		"a person with a fault":  "tenants: [{customer: \"1\", username: u, password: p, people: [{shoesize: 1}]}]",
	} {
		t.Run(name+" is refused", func(t *testing.T) {
			if _, err := LoadTenants(strings.NewReader(bad)); err == nil {
				t.Error("no error")
			}
		})
	}
}

func TestDemoTenant(t *testing.T) {
	sim := New(calm())
	tenant := sim.AddTenant(DemoTenant("1234", "user", "secret"))
	if st := sim.State().Tenants[0]; st.Jobs < 10 || st.Portals != 2 {
		t.Errorf("%+v", st)
	}
	res, err := post(t.Context(), sim, "/people", ana+`,"source":"SeekOut","sourcename":"demo","field51001":"https://www.linkedin.com/in/example"}`)
	if err != nil || res.StatusCode != 201 || res.Header.Get("X-Warning") != "" {
		t.Errorf("%v %v", res, err)
	}
	if p, _ := tenant.Person(90001); p["sourcename"] != "demo" {
		t.Error(p)
	}
}
