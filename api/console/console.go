package console

import (
	"errors"
	"net/http"
	"time"

	"github.com/rs/zerolog"

	"github.com/seekout/icims-export/api"
	"github.com/seekout/icims-export/store"
)

// Options are the console's options.
type Options struct {
	// API serves the requests of the pages.
	API *api.Server
	// Keys seal the session cookie.
	Keys *store.Keyset
	// Monitoring is asynq's web UI, for keys that are valid for all customers; nil for none.
	Monitoring http.Handler
	// Idle is how long a session lasts without use; 0 for DefaultIdle.
	Idle time.Duration
	// Version is shown at the bottom of each page, if known.
	Version string
	Log     zerolog.Logger
	// Now is the clock for the expiry of sessions; nil for the system clock.
	Now func() time.Time
}

// Console serves pages. Mount it on the API that it was created with.
type Console struct {
	Options

	mux   *http.ServeMux
	api   http.Handler
	pages map[string]page
	guard *http.CrossOriginProtection
}

// MonitoringPath is the path of asynq's web UI.
const MonitoringPath = "/monitoring"

// areas are the functions that add the routes of each page.
var areas = []func(*Console){
	(*Console).registerLogin,
	(*Console).registerSessions,
	(*Console).registerChooser,
	(*Console).registerLanes,
	(*Console).registerIntegrations,
	(*Console).registerConnection,
	(*Console).registerConnectionForm,
	(*Console).registerVerification,
	(*Console).registerReadBack,
	(*Console).registerCandidates,
	(*Console).registerDeadLetters,
	(*Console).registerJobs,
	(*Console).registerBatches,
	(*Console).registerExport,
}

// New returns the console.
func New(o Options) (*Console, error) {
	if o.API == nil || o.Keys == nil {
		return nil, errors.New("the console needs the API and a keyset")
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Idle <= 0 {
		o.Idle = DefaultIdle
	}
	pages, err := parsePages()
	if err != nil {
		return nil, err
	}
	c := &Console{Options: o, mux: http.NewServeMux(), api: o.API.Handler(), pages: pages, guard: http.NewCrossOriginProtection()}
	c.guard.SetDenyHandler(http.HandlerFunc(c.denyForeign))
	c.mux.Handle("GET /static/", staticFiles())
	for _, register := range areas {
		register(c)
	}
	if o.Monitoring != nil {
		c.mux.HandleFunc(MonitoringPath+"/", c.monitoring)
		c.mux.HandleFunc(MonitoringPath, c.monitoring)
	}
	c.mux.HandleFunc("/", c.nothingHere)
	return c, nil
}

// ServeHTTP serves pages.
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Security-Policy", contentPolicy)
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "same-origin") // without it, Origin is null
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	answer := c.guard.Handler(c.mux)
	// The login reads the form before the caller is known, and a cookie outlives its key.
	if s, known := c.sessionOf(r); known && r.URL.Path != loginPath {
		c.API.LoggedIn(w, r, s.Who.Key, answer)
		return
	}
	c.API.Stranger(w, r, answer)
}

// contentPolicy lets pages load only files of this service, and no inline scripts or styles.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// denyForeign refuses changes requested by other sites.
func (c *Console) denyForeign(w http.ResponseWriter, r *http.Request) {
	v := &visit{Console: c, w: w, r: r}
	v.fail(&Refusal{Status: http.StatusForbidden, Problem: api.Problem{
		Title: "the request came from another site", Detail: "Nothing was changed. Open the console and try again.",
	}})
}

func (c *Console) nothingHere(w http.ResponseWriter, r *http.Request) {
	v, ok := c.visit(w, r)
	if !ok {
		return
	}
	v.fail(&Refusal{Status: http.StatusNotFound, Problem: api.Problem{Title: "page not found", Detail: "The link may be outdated or incomplete."}})
}

// monitoring serves asynq's web UI to keys for all customers.
func (c *Console) monitoring(w http.ResponseWriter, r *http.Request) {
	v, ok := c.visit(w, r)
	if !ok {
		return
	}
	if !v.Who.AllCustomers {
		v.fail(&Refusal{Status: http.StatusForbidden, Problem: api.Problem{
			Title: "this page requires a key for all customers", Detail: "It shows the queues of all customers. Open Lanes to see yours.",
		}})
		return
	}
	c.Monitoring.ServeHTTP(w, r.WithContext(withVisit(r.Context(), v)))
}

// MayOperate reports whether the user of a request to asynq's web UI may make changes.
func MayOperate(r *http.Request) bool {
	v := visitOf(r.Context())
	return v != nil && v.May(api.ScopeOperate)
}

// Visitor returns the user of a request to asynq's web UI, and the request's ID.
func Visitor(r *http.Request) (who api.WhoAmI, request string) {
	v := visitOf(r.Context())
	if v == nil {
		return api.WhoAmI{}, ""
	}
	return v.Who, v.w.Header().Get("X-Request-Id")
}
