package console

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/seekout/icims-export/api"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks/input"
)

// visit is a request of a logged-in user.
type visit struct {
	*Console
	w http.ResponseWriter
	r *http.Request

	session session
	token   string
	Who     api.WhoAmI
	// Customer is the customer in the path; "" for pages without one. It is a valid ID, and the key
	// is valid for it.
	Customer string
	section  string
}

type visitKey struct{}

func withVisit(ctx context.Context, v *visit) context.Context {
	return context.WithValue(ctx, visitKey{}, v)
}

func visitOf(ctx context.Context) *visit {
	v, _ := ctx.Value(visitKey{}).(*visit)
	return v
}

// section is an entry of the navigation.
type section struct {
	ID, Name string
	// Path is the path of its first page. {customer} marks a page of one customer.
	Path  string
	Scope api.Scope
}

// sections in the order of the navigation.
var sections = []section{
	{"integrations", "Integrations", "/", api.ScopeRead},
	{"export", "Export", "/customers/{customer}/export", api.ScopeExport},
	{"batches", "Batches", "/customers/{customer}/batches", api.ScopeRead},
	{"candidates", "Candidates", "/customers/{customer}/candidates", api.ScopeRead},
	{"dead-letters", "Dead letters", "/customers/{customer}/dead-letters", api.ScopeRead},
	{"lanes", "Lanes", "/lanes", api.ScopeRead},
}

// handle adds a route: "GET /path". Before the handler runs, users who are not logged in are sent
// to the login, and requests without the scope, for a wrong customer, or with a too large or
// incomplete form are refused. The handler finds the form in PostForm. Its error is shown as a
// page, or as a note for htmx.
func (c *Console) handle(pattern, section string, scope api.Scope, h func(*visit) error) {
	c.handleStream(pattern, section, scope, func(v *visit) error {
		if v.r.Method == http.MethodPost {
			if err := v.readForm(); err != nil {
				return err
			}
		}
		return h(v)
	})
}

// handleStream adds a route whose handler reads the body as it arrives.
func (c *Console) handleStream(pattern, section string, scope api.Scope, h func(*visit) error) {
	c.mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
		v, ok := c.visit(w, r)
		if !ok {
			return
		}
		v.section = section
		if err := v.bind(scope); err != nil {
			v.fail(err)
			return
		}
		var done func()
		v.r, done = v.whileLoggedIn()
		defer done()
		if err := h(v); err != nil {
			v.fail(err)
		}
	})
}

// visit authenticates the request. Without a session it redirects to the login and returns false.
func (c *Console) visit(w http.ResponseWriter, r *http.Request) (*visit, bool) {
	v := &visit{Console: c, w: w, r: r}
	s, ok := c.sessionOf(r)
	if !ok {
		v.toLogin("")
		return nil, false
	}
	v.session, v.token = s, s.Token
	sessionErr := c.checkSession(r.Context(), s, !isBackground(r))
	if errors.Is(sessionErr, store.ErrNoSession) {
		v.forget()
		v.toLogin("ended")
		return nil, false
	}
	if err := v.get("/v1/whoami", nil, &v.Who); err != nil {
		if refused, ok := refusalOf(err); !ok || refused.Status != http.StatusUnauthorized {
			v.Who = s.Who // the last known user
		}
		v.fail(err)
		return nil, false
	}
	if sessionErr != nil {
		v.fail(unavailable(sessionErr))
		return nil, false
	}
	return v, true
}

// unavailable returns the refusal while Redis does not respond.
func unavailable(err error) *Refusal {
	info, detail := api.CodeUnavailable.Info(), "Try again in a few seconds."
	if d, ok := store.Diagnose(err); ok && d.Trouble != store.TroubleOther {
		detail = d.String()
	}
	return &Refusal{Status: info.Status, Problem: api.Problem{Title: info.Title, Detail: detail}}
}

// bind checks the scope and the customer in the path.
func (v *visit) bind(scope api.Scope) error {
	if !v.May(scope) {
		return &Refusal{Status: http.StatusForbidden, Problem: api.Problem{
			Title: "the API key lacks a scope", Detail: "This requires the " + string(scope) + " scope, which the key " + v.Who.Name + " does not have. Log in with another key or ask an administrator.",
		}}
	}
	customer := v.r.PathValue("customer")
	if customer == "" {
		return nil
	}
	if !input.ValidCustomer(customer) || !v.Who.AllCustomers && !slices.Contains(v.Who.Customers, customer) {
		return &Refusal{Status: http.StatusNotFound, Problem: api.Problem{
			Title: "customer not found", Detail: "Check the ID in the address. Your key may not include this customer.",
		}}
	}
	v.Customer = customer
	v.remember(customer)
	return nil
}

// May reports whether one of the key's scopes includes the given one.
func (v *visit) May(scope api.Scope) bool { return api.Principal{Scopes: v.Who.Scopes}.Has(scope) }

// byHTMX reports whether htmx requests a part of a page.
func (v *visit) byHTMX() bool { return v.r.Header.Get("HX-Request") == "true" }

// redirect sends the browser to another page after a change. did names a message of messages.go, or
// is "".
func (v *visit) redirect(path string, did string) error {
	if did != "" {
		sep := "?"
		if strings.Contains(path, "?") {
			sep = "&"
		}
		path += sep + "did=" + url.QueryEscape(did)
	}
	if v.byHTMX() {
		v.w.Header().Set("HX-Redirect", path)
		v.w.WriteHeader(http.StatusOK)
		return nil
	}
	http.Redirect(v.w, v.r, path, http.StatusSeeOther) //nolint:gosec // the paths are the console's own
	return nil
}

// fail shows an error.
func (v *visit) fail(err error) {
	_, ended := errors.AsType[*api.AccessEndedError](context.Cause(v.r.Context()))
	if ended {
		v.forget()
		v.toLogin("ended")
		return
	}
	if errors.Is(v.r.Context().Err(), context.Canceled) {
		return // the browser is gone
	}
	var refusal *Refusal
	if !errors.As(err, &refusal) {
		v.Log.Error().Str("page", v.section).Msg("unexpected error in a console page")
		refusal = &Refusal{Status: http.StatusInternalServerError, Problem: api.Problem{Title: "unexpected error", Detail: "Try again. If it happens again, ask an operator to check the log."}}
	}
	if refusal.Status == http.StatusUnauthorized {
		v.forget()
		v.toLogin("ended")
		return
	}
	if v.byHTMX() {
		v.refuse(refusal, "error", "note", v.frame(refusal.Title, refusal))
		return
	}
	v.refuse(refusal, "error", "layout", v.frame(sentenceCase(refusal.Title), refusal))
}

// toLogin redirects to the login, which returns to the current page. A page that is open stays with
// its input, and says so.
func (v *visit) toLogin(why string) {
	if v.byHTMX() {
		v.w.Header().Set("HX-Retarget", "#session")
		v.w.Header().Set("HX-Reswap", "innerHTML")
		v.write(http.StatusUnauthorized, "login", "session", nil)
		return
	}
	if v.r.Method != http.MethodGet && v.r.Method != http.MethodHead || strings.HasPrefix(v.r.URL.Path, MonitoringPath+"/api/") {
		// A redirect would lose the form, and a script would mistake the page for data.
		v.write(http.StatusUnauthorized, "login", "layout", v.frame("Log in", loginForm{Why: "ended", Next: v.cameFrom()}))
		return
	}
	q := url.Values{}
	if v.r.URL.Path != "/" {
		q.Set("next", v.r.URL.RequestURI())
	}
	if why != "" {
		q.Set("why", why)
	}
	target := "/login"
	if len(q) > 0 {
		target += "?" + q.Encode()
	}
	http.Redirect(v.w, v.r, target, http.StatusSeeOther)
}

// cameFrom returns the page of this console that sent a form; otherwise the first page.
func (v *visit) cameFrom() string {
	from, err := url.Parse(v.r.Referer())
	if err != nil || from.Host != v.r.Host {
		return "/"
	}
	return localPath(from.RequestURI())
}
