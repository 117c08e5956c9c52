package api

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/jobs"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
	"github.com/seekout/icims-export/tasks/input"
)

// Deps are the API's dependencies.
type Deps struct {
	Redis    redis.UniversalClient
	Ledger   *store.Ledger
	Producer *tasks.Client
	Hosts    icims.HostPolicy
	// Admin is the admin service; nil creates one from the fields above, without a connections file.
	Admin    *admin.Service
	Settings Settings
	Log      zerolog.Logger
	// Answered is called after each request with its operation ("" for unknown routes), status and
	// duration. It may be nil.
	Answered func(operation string, status int, took time.Duration)
	// Now is the clock for the expiry of keys; nil for the system clock.
	Now func() time.Time
}

// Settings are the API's limits. The zero value has the defaults.
type Settings struct {
	// RequestTimeout limits requests other than streams, including waits.
	RequestTimeout time.Duration
	// StallTimeout is how long the client of a stream may neither send nor receive.
	StallTimeout time.Duration
	// MaxBody limits bodies in bytes, and MaxUpload streamed ones.
	MaxBody, MaxUpload int64
	// MaxRows limits the rows of a batch.
	MaxRows int
	// KeyRate is the number of requests per second per API key, and KeyBurst is the burst.
	KeyRate  float64
	KeyBurst int
	// MaxRequests limits concurrent requests, including streams. One API key can have a quarter of
	// them. Pages have the same number of slots of their own. Of these, a key can have a quarter,
	// an address without a login a tenth (each at least 8, but at most half), and all addresses
	// together half.
	MaxRequests int
	// KeyUploads limits the concurrent uploads of one API key: exports whose body is larger than
	// MaxBody or of unknown length. It is always less than the key's limit of requests, and at most
	// a quarter of Uploads, but at least one.
	KeyUploads int
	// Uploads limits the concurrent uploads of all keys. It is always less than MaxRequests.
	Uploads int
	// EgressAddresses are the source addresses of the workers' calls to iCIMS.
	EgressAddresses []string
	// TrustedProxies are the addresses or networks whose X-Forwarded-For is used.
	TrustedProxies []string
	// Jobs are the settings of job lists.
	Jobs jobs.Settings
	// AccessEvery is how often the server checks whether the callers of open requests still
	// have access.
	AccessEvery time.Duration
}

// Defaults of Settings.
const (
	DefaultRequestTimeout = time.Minute
	DefaultStallTimeout   = 30 * time.Second
	DefaultMaxBody        = 1 << 20
	DefaultMaxUpload      = 1 << 30
	DefaultKeyRate        = 50
	DefaultKeyBurst       = 100
	DefaultMaxRequests    = 1000
	DefaultKeyUploads     = 8
	DefaultUploads        = 32
	DefaultAccessEvery    = 2 * time.Second
)

func (s Settings) withDefaults() Settings {
	s.RequestTimeout = or(s.RequestTimeout, DefaultRequestTimeout)
	s.StallTimeout = or(s.StallTimeout, DefaultStallTimeout)
	s.MaxBody = or(s.MaxBody, DefaultMaxBody)
	s.MaxUpload = or(s.MaxUpload, DefaultMaxUpload)
	s.KeyRate = or(s.KeyRate, DefaultKeyRate)
	s.KeyBurst = or(s.KeyBurst, DefaultKeyBurst)
	s.MaxRequests = or(s.MaxRequests, DefaultMaxRequests)
	s.KeyUploads = or(s.KeyUploads, DefaultKeyUploads)
	s.Uploads = or(s.Uploads, DefaultUploads)
	s.AccessEvery = or(s.AccessEvery, DefaultAccessEvery)
	s.MaxRows = or(s.MaxRows, input.DefaultMaxRows)
	return s
}

func or[T comparable](v, fallback T) T {
	var zero T
	if v == zero {
		return fallback
	}
	return v
}

// Operations returns the IDs of all operations, as passed to Answered.
func (s *Server) Operations() []string {
	return slices.Compact(slices.Sorted(slices.Values(s.routed)))
}

// Server serves the API.
type Server struct {
	Deps

	mux    *http.ServeMux
	pages  http.Handler // nil for none
	huma   huma.API
	ops    []op     // in registration order
	routed []string // IDs of all routes
	guards *guards
	// auditing limits the server to one consistency check at a time.
	auditing chan struct{}

	stopping context.Context //nolint:containedctx // it is the server's life, not a call's
	stop     context.CancelFunc

	watches      *watches
	openRequests *openRequests
	writes       *store.WriteProbe

	openAPI sync.Once
	spec    specs
}

// New returns the API with all routes. Call Close to release it.
func New(d Deps) (*Server, error) {
	if d.Redis == nil || d.Ledger == nil || d.Producer == nil {
		return nil, errors.New("the API needs Redis, a ledger and a producer")
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Admin == nil {
		d.Admin = admin.New(admin.Config{Redis: d.Redis, Ledger: d.Ledger, Hosts: d.Hosts, DummyDomain: tasks.DefaultDummyDomain, TaskRetention: tasks.DefaultRetention})
	}
	if d.Admin.Jobs == nil {
		d.Admin.Jobs = d.Admin.JobLists.NewLister(or(d.Settings.Jobs, jobs.DefaultSettings()), d.Now)
	}
	d.Settings = d.Settings.withDefaults()
	s := &Server{Deps: d, mux: http.NewServeMux(), auditing: make(chan struct{}, 1)}
	s.stopping, s.stop = context.WithCancel(context.Background())
	var err error
	if s.guards, err = newGuards(d); err != nil {
		return nil, err
	}
	s.openRequests = newOpenRequests(s.stopping, s.Settings.AccessEvery)
	s.watches, s.writes = newWatches(s), store.NewWriteProbe(d.Ledger.Checks.Writable, d.Now)
	s.Admin.Writes = s.writes
	s.huma = huma.NewAPI(humaConfig(), adapter{s})
	for _, routes := range routes {
		routes(s)
	}
	return s, nil
}

// Writes reports whether Redis accepts writes. Other users in this process share it.
func (s *Server) Writes() *store.WriteProbe { return s.writes }

// Close ends streams and waiting requests. Later requests are refused.
func (s *Server) Close() { s.stop() }

// closing is closed when the server stops: streams end, and waiting requests respond with what they
// have.
func (s *Server) closing() <-chan struct{} { return s.stopping.Done() }
