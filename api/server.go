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

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/jobs"
	"github.com/seekout/icims-export/operate"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
)

// Deps is what the API is made of.
type Deps struct {
	Redis    redis.UniversalClient
	Ledger   *store.Ledger
	Producer *tasks.Client
	Hosts    icims.HostPolicy
	// Desk is what the API looks things up and does them with; nil makes one of the
	// above, which knows no file of connections.
	Desk     *operate.Desk
	Settings Settings
	Log      zerolog.Logger
	// Answered is told of each request that was answered: its operation ("" where there
	// is no such route), status and time. Nil: nobody is.
	Answered func(operation string, status int, took time.Duration)
	// Now is the clock that keys expire by; nil for the machine's.
	Now func() time.Time
}

// Settings bound what callers can ask of the API. The zero value has the defaults.
type Settings struct {
	// RequestTimeout is how long a request may take that is no stream, waiting included.
	RequestTimeout time.Duration
	// StallTimeout is how long the other side of a stream may neither send nor take
	// anything.
	StallTimeout time.Duration
	// MaxBody bounds bodies that are no streams, MaxUpload streamed ones, in bytes.
	MaxBody, MaxUpload int64
	// MaxRows is how many rows a batch may have.
	MaxRows int
	// KeyRate is how many requests a second one API key may make for long, and KeyBurst
	// how many at once.
	KeyRate  float64
	KeyBurst int
	// MaxRequests is how many requests are answered at the same time, streams included;
	// one API key may have a quarter of them. Pages have as many of their own: of these a
	// key may have a quarter, an address without a log-in a tenth, each at least 8 unless
	// that is more than half, and all addresses together half.
	MaxRequests int
	// KeyUploads is how many uploads one API key may have under way at the same time:
	// exports whose body is larger than MaxBody, or of a length that nobody knows yet.
	// It is less than what the key may have of requests in any case, and at most a quarter
	// of Uploads, but at least one.
	KeyUploads int
	// Uploads is how many all keys together may have under way, and less than MaxRequests
	// in any case.
	Uploads int
	// EgressAddresses are those that iCIMS sees the workers' calls come from.
	EgressAddresses []string
	// TrustedProxies are the addresses or networks whose X-Forwarded-For is believed.
	TrustedProxies []string
	// Jobs are those of the lists of jobs.
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
	s.MaxRows = or(s.MaxRows, tasks.DefaultMaxRows)
	return s
}

func or[T comparable](v, fallback T) T {
	var zero T
	if v == zero {
		return fallback
	}
	return v
}

// Operations lists the ids of all operations, as Answered is told them.
func (s *Server) Operations() []string {
	return slices.Compact(slices.Sorted(slices.Values(s.routed)))
}

// Server answers the requests of the API.
type Server struct {
	Deps

	mux    *http.ServeMux
	pages  http.Handler // nil: there are none
	huma   huma.API
	ops    []op     // in the order of their registration
	routed []string // the ids of all that is routed
	guards *guards
	// auditing holds the one audit that is being made.
	auditing chan struct{}

	stopping context.Context //nolint:containedctx // it is the server's life, not a call's
	stop     context.CancelFunc

	watches      *watches
	openRequests *openRequests
	writes       *store.WriteProbe

	openAPI sync.Once
	spec    specs
}

// New returns the API with all its routes. Close ends it.
func New(d Deps) (*Server, error) {
	if d.Redis == nil || d.Ledger == nil || d.Producer == nil {
		return nil, errors.New("the API needs Redis, a ledger and a producer")
	}
	if d.Now == nil {
		d.Now = time.Now
	}
	if d.Desk == nil {
		d.Desk = &operate.Desk{Redis: d.Redis, Ledger: d.Ledger, Hosts: d.Hosts, DummyDomain: tasks.DefaultDummyDomain, TaskRetention: tasks.DefaultRetention}
	}
	if d.Desk.Jobs == nil {
		d.Desk.Jobs = d.Desk.NewLister(or(d.Settings.Jobs, jobs.DefaultSettings()), d.Now)
	}
	d.Settings = d.Settings.withDefaults()
	s := &Server{Deps: d, mux: http.NewServeMux(), auditing: make(chan struct{}, 1)}
	s.stopping, s.stop = context.WithCancel(context.Background())
	var err error
	if s.guards, err = newGuards(d); err != nil {
		return nil, err
	}
	s.openRequests = newOpenRequests(s.stopping, s.Settings.AccessEvery)
	s.watches, s.writes = newWatches(s), store.NewWriteProbe(d.Ledger.Writable, d.Now)
	s.Desk.Writes = s.writes
	s.huma = huma.NewAPI(humaConfig(), adapter{s})
	for _, routes := range routes {
		routes(s)
	}
	return s, nil
}

// Writes tells whether Redis takes writes; whoever else tells that of this process
// shares it.
func (s *Server) Writes() *store.WriteProbe { return s.writes }

// Close lets streams and those who wait end; requests that come after it are refused.
func (s *Server) Close() { s.stop() }

// closing is closed when the server is being stopped: streams end then, and whoever
// waits answers with what there is.
func (s *Server) closing() <-chan struct{} { return s.stopping.Done() }
