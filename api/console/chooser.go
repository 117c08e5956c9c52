package console

import (
	"net/url"
	"slices"
	"strings"

	"github.com/seekout/icims-export/api"
	"github.com/seekout/icims-export/tasks/input"
)

// registerChooser adds the URLs of customer pages without a customer. They redirect to the last
// viewed customer or the only one, or show the chooser.
func (c *Console) registerChooser() {
	for _, s := range sections {
		if s.ofCustomer() {
			c.handle("GET /"+s.ID, s.ID, s.Scope, func(v *visit) error { return v.choose(s) })
		}
	}
}

// chooser is the page for choosing a customer.
type chooser struct {
	Section   section
	Customers []string
	Wrong     bool
	// Dead lists customers with dead letters, if the section needs it.
	Dead *api.DeadCustomers
}

func (v *visit) choose(s section) error {
	wanted := strings.TrimSpace(v.r.URL.Query().Get("customer"))
	if input.ValidCustomer(wanted) {
		return v.redirect(s.pathOf(wanted, v.rest()), "")
	}
	if last := v.lastCustomer(); last != "" && wanted == "" && !v.r.URL.Query().Has("choose") {
		return v.redirect(s.pathOf(last, v.rest()), "")
	}
	customers, err := v.customers()
	if err != nil {
		return err
	}
	if len(customers) == 1 && wanted == "" && !v.Who.AllCustomers {
		return v.redirect(s.pathOf(customers[0], v.rest()), "")
	}
	c := chooser{Section: s, Customers: customers, Wrong: wanted != ""}
	if s.ID == "dead-letters" {
		if err := v.get("/v1/dead-letters", nil, &c.Dead); err != nil {
			return err
		}
	}
	return v.page("chooser", s.Name, c)
}

// rest returns the query without the choice of the customer.
func (v *visit) rest() url.Values {
	q := v.r.URL.Query()
	q.Del("customer")
	q.Del("choose")
	return q
}

// lastCustomer returns the last viewed customer, if the key is valid for it.
func (v *visit) lastCustomer() string {
	last, err := v.r.Cookie(customerCookie)
	if err != nil || !input.ValidCustomer(last.Value) || !v.Who.AllCustomers && !slices.Contains(v.Who.Customers, last.Value) {
		return ""
	}
	return last.Value
}

// customers returns the first few hundred customers. Others can be entered by ID.
func (v *visit) customers() ([]string, error) {
	if !v.Who.AllCustomers {
		return v.Who.Customers, nil
	}
	var page api.Connections
	if err := v.get(apiPath("connections"), url.Values{"limit": {"500"}}, &page); err != nil {
		return nil, err
	}
	customers := make([]string, len(page.Connections))
	for i, c := range page.Connections {
		customers[i] = c.Customer
	}
	return customers, nil
}

func (s section) ofCustomer() bool { return strings.Contains(s.Path, "{customer}") }

// pathOf returns the section's path for a customer, or the chooser's path without one.
func (s section) pathOf(customer string, query url.Values) string {
	p := strings.Replace(s.Path, "{customer}", customer, 1)
	if s.ofCustomer() && customer == "" {
		p = "/" + s.ID
	}
	if len(query) > 0 {
		p += "?" + query.Encode()
	}
	return p
}
