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
)

func (c *Console) registerConnectionForm() {
	c.handle("GET /connections/new", "integrations", api.ScopeAdmin, (*visit).newConnection)
	c.handle("POST /connections/new", "integrations", api.ScopeAdmin, (*visit).enterConnection)
	c.handle("GET /connections/{customer}/edit", "integrations", api.ScopeAdmin, (*visit).editConnection)
	c.handle("POST /connections/{customer}/edit", "integrations", api.ScopeAdmin, (*visit).enterConnection)
}

// connectionForm is the form of a connection. It has two steps, and is saved after the
// second: what was entered in the first is carried on in hidden fields, so that the
// server keeps nothing half entered. The password is asked for last and carried nowhere.
type connectionForm struct {
	New      bool
	Customer string
	Step     string
	// Revision is the one that the edit was made from.
	Revision int64
	Values   map[string]string // by the names of settings
	Why      string
	Egress   []string
	Refused  *Refusal
	// Sealed: the keyset does not open the settings there are.
	Sealed bool
	// Exists: the customer has a connection already.
	Exists bool
	// Meanwhile is what somebody else did, and Differences how his settings differ.
	Meanwhile   *store.ConnectionEvent
	Differences []difference
}

func (v *visit) newConnection() error {
	values := map[string]string{"capabilities": store.CanExport, "auth": string(store.AuthBasic)}
	form := connectionForm{New: true, Step: stepCapabilities, Values: values}
	if wanted := v.r.URL.Query().Get("customer"); store.ValidCustomer(wanted) {
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

// enterConnection takes the form in: it shows its other step, or saves it.
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

// saveForm enters the connection, and goes on to its verification.
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

// What a connection's page begins with after a change.
var (
	saidEntered = say("connection-entered", "Connection saved. Verify it to check that it works.")
	saidSaved   = say("connection-saved", "Changes saved. Workers apply them within seconds. Verify the connection to check that it works.")
)

func (v *visit) putConnection(form *connectionForm, password string) error {
	body, wrong := nest(form.Values)
	if form.New && !store.ValidCustomer(form.Customer) {
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

// keepSpelling leaves as they are the settings that the form spells otherwise: they would
// count as changed, and the connection as not verified.
func (v *visit) keepSpelling(body map[string]any) error {
	var c api.Connection
	if err := v.get(v.customerPath("connection"), nil, &c); err != nil {
		if _, ok := refusalOf(err); ok {
			return nil // the edit is told the same
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

// ownProblems are what the API would not say: that nothing is left to do, and what is no
// number.
func (f *connectionForm) ownProblems(step string) []api.FieldProblem {
	var list []api.FieldProblem
	if step == stepCapabilities && f.Values["capabilities"] == "" {
		list = append(list, api.FieldProblem{Field: "capabilities", Problem: "are missing", Remedy: "Choose what the connection is used for"})
	}
	_, wrong := nest(f.Values)
	return append(list, wrong...)
}

// refusedFields is a refusal of ours, such as the API's; nil for no problem.
func refusedFields(wrong []api.FieldProblem) *Refusal {
	if len(wrong) == 0 {
		return nil
	}
	slices.SortFunc(wrong, func(a, b api.FieldProblem) int { return strings.Compare(a.Field, b.Field) })
	info := api.CodeConnectionInvalid.Info()
	return &Refusal{Status: info.Status, Problem: api.Problem{Title: info.Title, Code: api.CodeConnectionInvalid, Errors: slices.Compact(wrong)}}
}

// explainChange finds what somebody else did meanwhile, for whoever has to decide whose
// settings hold. When saved again the form takes the place of those.
func (v *visit) explainChange(form *connectionForm) error {
	var now api.Connection
	if err := v.get(v.customerPath("connection"), nil, &now); err != nil {
		_, ok := refusalOf(err)
		if ok {
			return nil // it is gone, as the refusal says
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
	for _, name := range []string{"auth", "capabilities"} { // the form always gives them
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

// egress are the addresses that iCIMS has to allow.
func (v *visit) egress() ([]string, error) {
	var out api.Egress
	err := v.get(apiPath("egress"), nil, &out)
	return out.Addresses, err
}

// formField is a setting with what the form has of it.
type formField struct {
	setting

	ID, Value, Default string
	Wrong              *api.FieldProblem
}

// Group are the fields of one part of the form.
func (f connectionForm) Group(name string) []formField {
	var list []formField
	for _, s := range settings {
		if s.Group == name {
			list = append(list, f.field(s))
		}
	}
	return list
}

// Other is one of the fields that have a place of their own, setting or not.
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

// wrong is what is wrong with a setting. What is wrong with a group as a whole stands
// beside its first field.
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

// Open reports whether a group that is folded away holds something to be seen.
func (f connectionForm) Open(groups ...string) bool {
	return slices.ContainsFunc(settings, func(s setting) bool {
		return slices.Contains(groups, s.Group) && (f.Values[s.Name] != "" && f.Values[s.Name] != defaultSettings[s.Name] || f.wrong(s.Name) != nil)
	})
}

// Carried are the settings of the other step, which the form carries along.
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

// namedProblem is a problem as the list above the form has it.
type namedProblem struct {
	api.FieldProblem

	Label string
	// ID is that of the field; "" where this step does not have it.
	ID string
}

// Problems list what is wrong, by the names that the form has for it.
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

// Address is where the form is sent to.
func (f connectionForm) Address() string {
	if f.New {
		return "/connections/new"
	}
	return "/connections/" + f.Customer + "/edit"
}
