package console

import (
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/seekout/icims-export/api"
	"github.com/seekout/icims-export/store"
)

const (
	secret    = "correct horse battery"
	portalURL = "https://api.icims.com/customers/1234/search/portals/1"
)

// entered returns a valid form for customer 1234.
func entered(change ...string) url.Values {
	form := url.Values{"go": {"save"}, "capabilities": {"export"}, "customer": {mine}, "auth": {"basic"}, "username": {"export-user"}, "password": {secret}, "portal_urls": {portalURL}}
	for i := 0; i+1 < len(change); i += 2 {
		form.Set(change[i], change[i+1])
	}
	return form
}

// stored returns customer 1234's connection.
func (r *rig) stored() store.StoredConnection {
	r.t.Helper()
	c, err := r.ledger.Connections.Get(r.t.Context(), mine)
	if err != nil {
		r.t.Fatal(err)
	}
	return c
}

// leaves returns the names of all settings in an API type.
func leaves(t reflect.Type, prefix string) []string {
	var names []string
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		kind := f.Type
		if kind.Kind() == reflect.Pointer {
			kind = kind.Elem()
		}
		if kind.Kind() == reflect.Struct {
			names = append(names, leaves(kind, prefix+name+".")...)
			continue
		}
		names = append(names, prefix+name)
	}
	return names
}

func TestFormHasEachSetting(t *testing.T) {
	var names []string
	for _, s := range settings {
		names = append(names, s.Name)
	}
	slices.Sort(names)
	want := leaves(reflect.TypeFor[api.ConnectionSettings](), "")
	slices.Sort(want)
	if !slices.Equal(names, want) {
		t.Errorf("the form has %q, the API %q", names, want)
	}
}

func TestFormPreservesSettings(t *testing.T) {
	text := `{"auth":"oauth","username":"a <b>","token_url":"https://x.example/t","capabilities":"export","portal_urls":"https://a.example/1, https://a.example/2","source":"S",
		"status":{"id":"D1"},"folder":{"value":"F"},"linkedin_field":"field51001","dummy_email_domain":"x.example",
		"limits":{"calls_per_second":2.5,"burst":3,"in_flight":4,"calls_per_day":1000000,"express_reserve":5},
		"fields":{"work_experience":{"collection":"c","employer":"e","title":"t","start":"s","end":"n"},"education":{"collection":"c","school":"s","degree":"d"}}}`
	var before, after api.ConnectionSettings
	if err := json.Unmarshal([]byte(text), &before); err != nil {
		t.Fatal(err)
	}
	flat, err := flatten(before)
	if err != nil {
		t.Fatal(err)
	}
	body, wrong := nest(flat)
	sent, err := json.Marshal(body)
	if err != nil || len(wrong) > 0 {
		t.Fatalf("%v, %v", wrong, err)
	}
	if err := json.Unmarshal(sent, &after); err != nil || !reflect.DeepEqual(before, after) {
		t.Errorf("before %+v, after %+v, %v", before, after, err)
	}
}

func TestDefaultsMatchTheStore(t *testing.T) {
	r := newRig(t)
	r.connected()
	var c api.Connection
	v := &visit{Console: r.Console, r: &http.Request{}, token: r.key(api.ScopeRead)}
	v.r = v.r.WithContext(t.Context())
	if err := v.get(apiPath("customers", mine, "connection"), nil, &c); err != nil {
		t.Fatal(err)
	}
	used, err := flatten(c.InUse)
	if err != nil {
		t.Fatal(err)
	}
	delete(used, "username")
	delete(used, "portal_urls")
	if !maps.Equal(used, defaultSettings) {
		t.Errorf("the form says %v, in use are %v", defaultSettings, used)
	}
}

func TestConnectionFormHasSteps(t *testing.T) {
	r := newRig(t)
	p := r.person(api.ScopeAdmin)
	p.get("/connections/new").wants(t, http.StatusOK, "Add connection", `aria-current="step">Capabilities`, `placeholder="SeekOut"`, `value="credentials">Continue`)

	first := url.Values{"go": {"credentials"}, "capabilities": {"export"}, "source": {markup}, "limits.in_flight": {"2"}}
	second := p.post("/connections/new", first)
	second.wants(t, http.StatusOK, `aria-current="step">Credentials`, `type="hidden" name="limits.in_flight" value="2"`, `name="password" type="password"`)
	second.lacks(t, "<script>alert", `type="hidden" name="password"`)

	back := p.post("/connections/new", entered("go", "capabilities", "limits.in_flight", "2"))
	back.wants(t, http.StatusOK, `aria-current="step">Capabilities`, `name="limits.in_flight" value="2"`, `type="hidden" name="portal_urls" value="`+portalURL+`"`, `type="hidden" name="customer" value="1234"`)
	back.lacks(t, secret)

	done := p.post("/connections/new", entered("limits.in_flight", "2", "portal_urls", portalURL+"\r\n"+strings.TrimSuffix(portalURL, "1")+"2\r\n", "why", "a new customer"))
	if done.StatusCode != http.StatusSeeOther || done.to() != "/connections/1234/verify?did=connection-entered" {
		t.Fatalf("%d to %q: %s", done.StatusCode, done.to(), done.text)
	}
	c := r.stored()
	if c.Password != secret || c.Username != "export-user" || c.Limits.InFlight != 2 || len(strings.Split(c.PortalURLs, ",")) != 2 {
		t.Errorf("entered %+v", c.Connection)
	}
	p.get(done.to()).wants(t, http.StatusOK, "Connection saved", `aria-current="step">Verify`, "Any job")
	if log := r.log.String(); strings.Contains(log, secret) {
		t.Error("the password is in the log")
	}
}

func TestFormShowsProblemsAndKeepsValues(t *testing.T) {
	cases := map[string]struct {
		form url.Values
		has  []string
	}{
		"no customer id":              {entered("customer", "12x"), []string{`id="customer-wrong"`, "digits only", `aria-current="step">Credentials`, `value="export-user"`}},
		"a placeholder in a portal":   {entered("portal_urls", "https://api.icims.com/customers/{customerId}/search/portals/1"), []string{`id="portal_urls-wrong"`, "Job portals</a> entry 1 is invalid. It contains a placeholder", `href="#portal_urls"`}},
		"another customer's portal":   {entered("portal_urls", "https://api.icims.com/customers/77/search/portals/1"), []string{`id="portal_urls-wrong"`, "Job portals</a> cannot be used for this customer. The number after /customers/"}},
		"no user name":                {entered("username", " "), []string{`id="username-wrong"`, "name of the iCIMS API user"}},
		"no password":                 {entered("password", ""), []string{`id="password-wrong"`}},
		"a field that is none":        {entered("linkedin_field", "Field 1"), []string{`id="linkedin_field-wrong"`, `aria-current="step">Capabilities`, `value="Field 1"`, `type="hidden" name="username" value="export-user"`}},
		"a limit that is no number":   {entered("limits.burst", "many"), []string{`id="limits-burst-wrong"`, "Must be a number", "<details open>"}},
		"a limit out of range":        {entered("limits.express_reserve", "91"), []string{`id="limits-express_reserve-wrong"`, "Too large"}},
		"a limit that is not whole":   {entered("limits.burst", "1.5"), []string{`id="limits-burst-wrong"`, "Must be an integer"}},
		"a status with a line break":  {entered("status.value", "a\nb"), []string{`id="status-value-wrong"`, `href="#status-value"`}},
		"nothing to be used for":      {entered("capabilities", ""), []string{`id="capabilities-wrong"`, "Choose what the connection is used for"}},
		"markup in what was entered":  {entered("username", markup+":", "source", markup), []string{`id="username-wrong"`}},
		"a key for other customers":   {entered("customer", "77"), []string{`id="customer-wrong"`, "Not available to your key"}},
		"a way to log in, not known":  {entered("auth", "magic"), []string{`id="auth-wrong"`}},
		"tokens from elsewhere":       {entered("auth", "oauth", "token_url", "http://evil.example/"), []string{`id="token_url-wrong"`}},
		"the first step alone, wrong": {entered("go", "credentials", "limits.burst", "many"), []string{`id="limits-burst-wrong"`}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			r := newRig(t)
			got := r.person(api.ScopeAdmin, mine).post("/connections/new", c.form)
			got.wants(t, http.StatusUnprocessableEntity, append(c.has, `role="alert"`, `aria-invalid="true"`)...)
			got.lacks(t, secret, "<script>alert")
			if _, err := r.ledger.Connections.Get(t.Context(), mine); err == nil {
				t.Error("it was entered")
			}
		})
	}
}

func TestCustomerGetsNoSecondConnection(t *testing.T) {
	r := newRig(t)
	r.connected()
	got := r.person(api.ScopeAdmin).post("/connections/new", entered("username", "another"))
	got.wants(t, http.StatusConflict, "already has a connection", `href="/connections/1234/edit"`, `value="another"`)
	if c := r.stored(); c.Username != "export-user" {
		t.Errorf("it was replaced: %+v", c.Connection)
	}
}

func TestEditKeepsThePasswordAndOtherSettings(t *testing.T) {
	r := newRig(t)
	before := r.connected(func(c *store.Connection) {
		c.PortalURLs, c.LinkedInField = portalURL+","+strings.TrimSuffix(portalURL, "1")+"2", "field51001"
	})
	if err := r.ledger.Connections.Move(t.Context(), mine, store.ConnectionMove{To: store.ConnectionVerifying, Who: "w"}); err != nil {
		t.Fatal(err)
	}
	if err := r.ledger.Connections.Move(t.Context(), mine, store.ConnectionMove{To: store.ConnectionConnected, Who: "w"}); err != nil {
		t.Fatal(err)
	}
	p := r.person(api.ScopeAdmin, mine)
	first := p.get("/connections/1234/edit")
	first.wants(t, http.StatusOK, `value="field51001"`, `name="revision" value="1"`, `type="hidden" name="username" value="export-user"`)
	first.lacks(t, string(before.Password))
	p.get("/connections/1234/edit?step=credentials").wants(t, http.StatusOK, "Leave empty to keep the current password", `type="hidden" name="linkedin_field" value="field51001"`)

	form := fields(first.text)
	form.Set("go", "save")
	form.Set("limits.burst", "3")
	p.post("/connections/1234/edit", form).wants(t, http.StatusUnprocessableEntity, `id="why-wrong"`, "Give a reason")
	form.Set("why", "they asked")
	if got := p.post("/connections/1234/edit", form); got.StatusCode != http.StatusSeeOther || got.to() != "/connections/1234/verify?did=connection-saved" {
		t.Fatalf("%d to %q: %s", got.StatusCode, got.to(), got.text)
	}
	after := r.stored()
	if after.Revision != 2 || after.Limits.Burst != 3 || after.State != store.ConnectionConnected {
		t.Errorf("revision %d, %+v, %s", after.Revision, after.Limits, after.State)
	}
	if changed := store.ChangedSettings(before.Connection, after.Connection); !slices.Equal(changed, []string{"limits"}) && !slices.Equal(changed, []string{"limits.burst"}) {
		t.Errorf("changed were %q", changed)
	}
}

func TestPasswordMustBeEnteredForAnotherHost(t *testing.T) {
	r := newRig(t)
	r.connected()
	p := r.person(api.ScopeAdmin)
	form := fields(p.get("/connections/1234/edit?step=credentials").text)
	form.Set("go", "save")
	form.Set("why", "they moved")
	form.Set("portal_urls", strings.Replace(portalURL, "api.icims.com", "api-eu.icims.com", 1))
	p.post("/connections/1234/edit", form).wants(t, http.StatusUnprocessableEntity, `id="password-wrong"`, "enter it again", "api-eu.icims.com")
	form.Set("password", "another secret")
	if got := p.post("/connections/1234/edit", form); got.StatusCode != http.StatusSeeOther || r.stored().Password != "another secret" {
		t.Errorf("%d: %s", got.StatusCode, got.text)
	}
}

func TestTwoEditorsDoNotOverwriteEachOther(t *testing.T) {
	r := newRig(t)
	r.connected()
	p := r.person(api.ScopeAdmin)
	form := fields(p.get("/connections/1234/edit").text)
	form.Set("go", "save")
	form.Set("why", "mine")
	form.Set("source", "Mine")
	other := r.stored().Connection
	other.Source, other.Password = "<b>Theirs</b>", ""
	if _, err := r.ledger.Connections.Edit(t.Context(), other, 1, "joe", "quick & first"); err != nil {
		t.Fatal(err)
	}
	got := p.post("/connections/1234/edit", form)
	got.wants(t, http.StatusPreconditionFailed, "Your changes were not saved: the connection was changed while you edited it.", "Changed by joe", "quick &amp; first",
		"&lt;b&gt;Theirs&lt;/b&gt;", `data-label="Yours">Mine`, `name="revision" value="2"`, "Overwrite and verify")
	if c := r.stored(); c.Source != "<b>Theirs</b>" {
		t.Fatalf("it was overwritten: %q", c.Source)
	}
	again := fields(got.text)
	again.Set("go", "save")
	if got := p.post("/connections/1234/edit", again); got.StatusCode != http.StatusSeeOther {
		t.Fatalf("%d: %s", got.StatusCode, got.text)
	}
	if c := r.stored(); c.Source != "Mine" || c.Revision != 3 {
		t.Errorf("after a look at it: %q, revision %d", c.Source, c.Revision)
	}
}

func TestRemovedConnectionCanBeAddedAgain(t *testing.T) {
	r := newRig(t)
	p := r.person(api.ScopeAdmin)
	if got := p.get("/connections/1234/edit"); got.to() != "/connections/new?customer=1234" {
		t.Errorf("that never was: to %q", got.to())
	}
	r.connected()
	form := fields(p.get("/connections/1234/edit").text)
	form.Set("go", "save")
	form.Set("why", "late")
	if err := r.ledger.Connections.Remove(t.Context(), mine, 1, "joe", "they left"); err != nil {
		t.Fatal(err)
	}
	p.post("/connections/1234/edit", form).wants(t, http.StatusPreconditionFailed, "The customer has no connection")
	if got := p.get("/connections/1234/edit"); got.to() != "/connections/new?customer=1234" {
		t.Errorf("that was removed: to %q", got.to())
	}
	p.get("/connections/new?customer=1234").wants(t, http.StatusOK, `type="hidden" name="customer" value="1234"`)
}

func TestOnlyAdministratorsEditConnections(t *testing.T) {
	r := newRig(t)
	r.connected()
	for _, scope := range []api.Scope{api.ScopeRead, api.ScopeExport, api.ScopeOperate} {
		p := r.person(scope)
		for _, path := range []string{"/connections/new", "/connections/1234/edit", "/connections/1234/remove", "/connections/1234/verify"} {
			p.get(path).wants(t, http.StatusForbidden, "This requires the admin scope")
		}
		p.post("/connections/new", entered()).wants(t, http.StatusForbidden)
		p.post("/connections/1234/edit", entered("revision", "1", "why", "x")).wants(t, http.StatusForbidden)
		p.post("/connections/1234/remove", url.Values{"why": {"x"}}).wants(t, http.StatusForbidden)
		p.post("/customers/1234/verifications", nil).wants(t, http.StatusForbidden)
	}
	if c := r.stored(); c.Revision != 1 {
		t.Errorf("revision %d", c.Revision)
	}
}

func TestTooLargeFormIsRefused(t *testing.T) {
	got := newRig(t).person(api.ScopeAdmin).post("/connections/new", entered("source", strings.Repeat("x", longestForm)))
	got.wants(t, http.StatusRequestEntityTooLarge, "The form is too large")
}
