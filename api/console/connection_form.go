package console

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/seekout/icims-export/api"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks/input"
)

func (c *Console) registerConnectionForm() {
	c.handle("GET /connections/new", "integrations", api.ScopeAdmin, (*visit).newConnection)
	c.handle("POST /connections/new", "integrations", api.ScopeAdmin, (*visit).enterConnection)
	c.handle("GET /connections/{customer}/edit", "integrations", api.ScopeAdmin, (*visit).editConnection)
	c.handle("POST /connections/{customer}/edit", "integrations", api.ScopeAdmin, (*visit).enterConnection)
}

// connectionForm is the form of a connection. It has two steps, and is saved after the second.
// Hidden fields carry the input of the first step, so that the server stores nothing incomplete.
// The password is entered last and never carried.
type connectionForm struct {
	New      bool
	Customer string
	Step     string
	// Revision is the revision that was edited.
	Revision int64
	Values   map[string]string // by setting name
	Why      string
	Egress   []string
	Refused  *Refusal
	// Sealed means that the keyset cannot open the current settings.
	Sealed bool
	// Exists means that the customer already has a connection.
	Exists bool
	// Meanwhile is a concurrent change, and Differences lists how the settings differ.
	Meanwhile   *store.ConnectionEvent
	Differences []difference
}

func (v *visit) newConnection() error {
	values := map[string]string{"capabilities": store.CanExport, "auth": string(store.AuthBasic)}
	form := connectionForm{New: true, Step: stepCapabilities, Values: values}
	if wanted := v.r.URL.Query().Get("customer"); input.ValidCustomer(wanted) {
		form.Customer = wanted
	} else if len(v.Who.Customers) == 1 {
		form.Customer = v.Who.Customers[0]
	}
	return v.showForm(form)
}

func (v *visit) editConnection() error {
	var c api.Connection
	err := v.get(v.customerPath("connection"), nil, &c)
	if refused, ok := refusalOf(err); ok && refused.Code == api.CodeNoConnection || err == nil && (c.Filed || c.State == string(store.ConnectionRemoved)) {
		return v.redirect("/connections/new?customer="+v.Customer, "")
	}
	if err != nil {
		return err
	}
	form := connectionForm{Customer: v.Customer, Step: stepCapabilities, Revision: c.Revision, Sealed: c.Sealed}
	if form.Values, err = flatten(c.Settings); err != nil {
		return err
	}
	if form.Values["capabilities"] == "" {
		form.Values["capabilities"] = store.CanExport
	}
	if form.Values["auth"] == "" {
		form.Values["auth"] = string(store.AuthBasic)
	}
	if v.r.URL.Query().Get("step") == stepCredentials {
		form.Step = stepCredentials
	}
	return v.showForm(form)
}

// enterConnection handles the form: it shows the other step, or saves the connection.
func (v *visit) enterConnection() error {
	posted := v.r.PostForm
	form := connectionForm{New: v.Customer == "", Customer: v.Customer, Values: map[string]string{}, Why: strings.TrimSpace(posted.Get("why"))}
	if form.New {
		form.Customer = strings.TrimSpace(posted.Get("customer"))
	}
	form.Revision, _ = strconv.ParseInt(posted.Get("revision"), 10, 64)
	for _, s := range settings {
		if text := strings.TrimSpace(posted.Get(s.Name)); text != "" {
			form.Values[s.Name] = text
		}
	}
	switch posted.Get("go") {
	case stepCapabilities:
		form.Step = stepCapabilities
		return v.showForm(form)
	case stepCredentials:
		form.Step = stepCredentials
		if form.Refused = refusedFields(form.ownProblems(stepCapabilities)); form.Refused != nil {
			form.Step = stepCapabilities
		}
		return v.showForm(form)
	}
	return v.saveForm(form, posted.Get("password"))
}

// saveForm saves the connection and starts its verification.
func (v *visit) saveForm(form connectionForm, password string) error {
	err := v.putConnection(&form, password)
	if err == nil {
		said := saidSaved
		if form.New {
			said = saidEntered
		}
		return v.redirect("/connections/"+form.Customer+"/verify", said)
	}
	refused, ok := refusalOf(err)
	if !ok {
		return err
	}
	form.Refused, form.Step = refused, stepCredentials
	for _, f := range refused.Errors {
		if stepOf(f.Field) == stepCapabilities {
			form.Step = stepCapabilities
		}
	}
	form.Exists = refused.Code == api.CodeConnectionExists
	if refused.Code == api.CodeCustomerUnknown {
		form.Refused = refusedFields([]api.FieldProblem{{Field: "customer", Problem: "is not available to your key", Remedy: "Check the ID or log in with another key"}})
	}
	if refused.Code == api.CodeConnectionChanged {
		if err := v.explainChange(&form); err != nil {
			return err
		}
	}
	return v.showForm(form)
}

// Messages after a change, at the top of the connection's page.
var (
	saidEntered = say("connection-entered", "Connection saved. Verify it to check that it works.")
	saidSaved   = say("connection-saved", "Changes saved. Workers apply them within seconds. Verify the connection to check that it works.")
)

func (v *visit) putConnection(form *connectionForm, password string) error {
	body, wrong := nest(form.Values)
	if form.New && !input.ValidCustomer(form.Customer) {
		wrong = append(wrong, api.FieldProblem{Field: "customer", Problem: "is not a customer ID", Remedy: "Enter iCIMS's customer ID, digits only, such as 1234"})
	}
	if wrong = append(wrong, form.ownProblems(stepCapabilities)...); len(wrong) > 0 {
		return refusedFields(wrong)
	}
	if !form.New {
		if err := v.keepSpelling(body); err != nil {
			return err
		}
	}
	if password != "" {
		body["password"] = password
	}
	body["why"] = form.Why
	header := []string{"If-None-Match", "*"}
	if !form.New {
		header = []string{"If-Match", strconv.Quote(strconv.FormatInt(form.Revision, 10))}
	}
	return v.call(http.MethodPut, apiPath("customers", form.Customer, "connection"), nil, body, nil, header...)
}

// keepSpelling keeps settings that the form only formats differently. Otherwise they would count as
// changed, and the connection as unverified.
func (v *visit) keepSpelling(body map[string]any) error {
	var c api.Connection
	if err := v.get(v.customerPath("connection"), nil, &c); err != nil {
		if _, ok := refusalOf(err); ok {
			return nil // the edit returns the same error
		}
		return err
	}
	for name, old := range map[string]string{"auth": c.Settings.Auth, "capabilities": c.Settings.Capabilities} {
		if old == "" && body[name] == defaultSettings[name] {
			delete(body, name)
		}
	}
	if urls, ok := body["portal_urls"].(string); ok && onePerLine(urls) == onePerLine(c.Settings.PortalURLs) {
		body["portal_urls"] = c.Settings.PortalURLs
	}
	return nil
}

// ownProblems returns problems that the API would not report: that nothing changed, and invalid
// numbers.
func (f *connectionForm) ownProblems(step string) []api.FieldProblem {
	var list []api.FieldProblem
	if step == stepCapabilities && f.Values["capabilities"] == "" {
		list = append(list, api.FieldProblem{Field: "capabilities", Problem: "are missing", Remedy: "Choose what the connection is used for"})
	}
	_, wrong := nest(f.Values)
	return append(list, wrong...)
}

// refusedFields returns a Refusal like the API's; nil without problems.
func refusedFields(wrong []api.FieldProblem) *Refusal {
	if len(wrong) == 0 {
		return nil
	}
	slices.SortFunc(wrong, func(a, b api.FieldProblem) int { return strings.Compare(a.Field, b.Field) })
	info := api.CodeConnectionInvalid.Info()
	return &Refusal{Status: info.Status, Problem: api.Problem{Title: info.Title, Code: api.CodeConnectionInvalid, Errors: slices.Compact(wrong)}}
}

// explainChange finds out what a concurrent change did, so that the user can decide which settings
// to keep. Saving the form again overwrites that change.
func (v *visit) explainChange(form *connectionForm) error {
	var now api.Connection
	if err := v.get(v.customerPath("connection"), nil, &now); err != nil {
		_, ok := refusalOf(err)
		if ok {
			return nil // it was removed, as the refusal says
		}
		return err
	}
	if now.State == string(store.ConnectionRemoved) {
		return nil
	}
	settings, err := flatten(now.Settings)
	if err != nil {
		return err
	}
	form.Differences = differences(withDefaults(settings), withDefaults(form.Values))
	var history api.ConnectionHistory
	if err := v.get(v.customerPath("connection", "history"), nil, &history); err != nil {
		return err
	}
	form.Meanwhile = &store.ConnectionEvent{At: now.Edited}
	for _, e := range history.Events {
		if e.Revision > form.Revision && (e.What == "edited" || e.What == "added") {
			form.Meanwhile = &e
			break
		}
	}
	form.Revision = now.Revision
	return nil
}

func withDefaults(given map[string]string) map[string]string {
	all := maps.Clone(given)
	for _, name := range []string{"auth", "capabilities"} { // the form always sets them
		if all[name] == "" {
			all[name] = defaultSettings[name]
		}
	}
	return all
}

func (v *visit) showForm(form connectionForm) error {
	var err error
	if form.Egress, err = v.egress(); err != nil {
		return err
	}
	title := "Edit connection"
	if form.New {
		title = "Add connection"
	}
	if form.Refused != nil {
		return v.pageWith(form.Refused, "connection-form", title, form)
	}
	return v.page("connection-form", title, form)
}

// egress returns the IP addresses to allow in iCIMS.
func (v *visit) egress() ([]string, error) {
	var out api.Egress
	err := v.get(apiPath("egress"), nil, &out)
	return out.Addresses, err
}

// formField is a setting with its value in the form.
type formField struct {
	setting

	ID, Value, Default string
	Wrong              *api.FieldProblem
}

// Group returns the fields of a part of the form.
func (f connectionForm) Group(name string) []formField {
	var list []formField
	for _, s := range settings {
		if s.Group == name {
			list = append(list, f.field(s))
		}
	}
	return list
}

// Other returns a field that the form places individually.
func (f connectionForm) Other(name string) formField {
	for _, s := range settings {
		if s.Name == name {
			return f.field(s)
		}
	}
	return f.field(setting{Name: name, Label: labelOf(name), Step: stepCredentials})
}

func (f connectionForm) field(s setting) formField {
	return formField{s, fieldID(s.Name), f.Values[s.Name], defaultSettings[s.Name], f.wrong(s.Name)}
}

// wrong returns the problem of a setting. A group's problem is shown at its first field.
func (f connectionForm) wrong(name string) *api.FieldProblem {
	if p := f.Refused.Of(name); p != nil {
		return p
	}
	if group, last, nested := strings.Cut(name, "."); nested && last == "value" {
		return f.Refused.Of(group)
	}
	return nil
}

func fieldID(name string) string { return strings.ReplaceAll(name, ".", "-") }

// Open reports whether a folded group contains a value or a problem.
func (f connectionForm) Open(groups ...string) bool {
	return slices.ContainsFunc(settings, func(s setting) bool {
		return slices.Contains(groups, s.Group) && (f.Values[s.Name] != "" && f.Values[s.Name] != defaultSettings[s.Name] || f.wrong(s.Name) != nil)
	})
}

// Carried returns the settings of the other step, for hidden fields.
func (f connectionForm) Carried() url.Values {
	q := url.Values{}
	for _, s := range settings {
		if s.Step != f.Step && f.Values[s.Name] != "" {
			q.Set(s.Name, f.Values[s.Name])
		}
	}
	if f.Step == stepCapabilities {
		q.Set("why", f.Why)
		if f.New {
			q.Set("customer", f.Customer)
		}
	}
	return q
}

// namedProblem is an entry of the list of problems above the form.
type namedProblem struct {
	api.FieldProblem

	Label string
	// ID is the field's ID; "" if the field is in the other step.
	ID string
}

// Problems lists the problems by the labels of their fields.
func (f connectionForm) Problems() []namedProblem {
	if f.Refused == nil {
		return nil
	}
	list := make([]namedProblem, len(f.Refused.Errors))
	for i, p := range f.Refused.Errors {
		list[i] = namedProblem{FieldProblem: p, Label: labelOf(p.Field)}
		if stepOf(p.Field) == f.Step {
			list[i].ID = fieldID(p.Field)
		}
		if slices.Contains([]string{"status", "folder"}, p.Field) {
			list[i].ID += "-value"
		}
	}
	return list
}

// Address returns the URL that the form posts to.
func (f connectionForm) Address() string {
	if f.New {
		return "/connections/new"
	}
	return "/connections/" + f.Customer + "/edit"
}
