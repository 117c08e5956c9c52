package console

import (
	"net/url"
	"slices"
	"strings"

	"github.com/seekout/icims-export/api"
	"github.com/seekout/icims-export/store"
)

// registerChooser enters the addresses of customers' pages without a customer: they lead
// to the customer that was looked at last, to the only one, or ask for one.
func (c *Console) registerChooser() {
	for _, s := range sections {
		if s.ofCustomer() {
			c.handle("GET /"+s.ID, s.ID, s.Scope, func(v *visit) error { return v.choose(s) })
		}
	}
}

// chooser is the page that asks for a customer.
type chooser struct {
	Section   section
	Customers []string
	Wrong     bool
	// Dead are those that have dead letters, where these are looked for.
	Dead *api.DeadCustomers
}

func (v *visit) choose(s section) error {
	wanted := strings.TrimSpace(v.r.URL.Query().Get("customer"))
	if store.ValidCustomer(wanted) {
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

// rest is the query without what chose the customer.
func (v *visit) rest() url.Values {
	q := v.r.URL.Query()
	q.Del("customer")
	q.Del("choose")
	return q
}

// lastCustomer is the customer whose page was looked at last, if the key is good for it.
func (v *visit) lastCustomer() string {
	last, err := v.r.Cookie(customerCookie)
	if err != nil || !store.ValidCustomer(last.Value) || !v.Who.AllCustomers && !slices.Contains(v.Who.Customers, last.Value) {
		return ""
	}
	return last.Value
}

// customers are those that a person can choose from: the first hundreds. Others can be
// typed in.
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

// pathOf is the section's path for a customer; without one it is that which asks.
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
