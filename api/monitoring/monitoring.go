package monitoring

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/hibiken/asynq"
	"github.com/hibiken/asynqmon"
	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"
)

// Options are the web UI's options.
type Options struct {
	Redis redis.UniversalClient
	// Path is where the web UI is mounted, without a trailing slash: "/monitoring".
	Path string
	// MayOperate reports whether the caller may make changes. nil means never.
	MayOperate func(*http.Request) bool
	// Journal records a change in the audit log before it is made; if it fails, nothing is changed.
	// done is called with the outcome. nil means no audit log.
	Journal func(*http.Request, Change) (done func(error), err error)
	// Announce notifies the workers of a customer after a change. If nil, they notice it within ten
	// minutes.
	Announce func(ctx context.Context, customer string) error
	Log      zerolog.Logger
}

// Handler serves the web UI.
type Handler struct {
	options Options
	inner   *asynqmon.HTTPHandler
	// look is the page for readers, operate the page with buttons.
	look, operate *page
	files         map[string]*file
	shared        shared
}

// New returns the web UI. It fails if asynqmon's page has an unexpected form, so that a new version
// is noticed.
func New(o Options) (*Handler, error) {
	if o.Redis == nil || !strings.HasPrefix(o.Path, "/") || strings.HasSuffix(o.Path, "/") {
		return nil, errors.New("the web UI needs a Redis, and a path like /monitoring")
	}
	h := &Handler{options: o, files: map[string]*file{}}
	h.inner = asynqmon.New(h.settings(false))
	readOnly := asynqmon.New(h.settings(true))
	var err error
	if h.look, err = h.adopt(readOnly); err != nil {
		return nil, err
	}
	if h.operate, err = h.adopt(h.inner); err != nil {
		return nil, err
	}
	return h, nil
}

// settings returns asynqmon's options. Without Prometheus it has no metrics page.
func (h *Handler) settings(readOnly bool) asynqmon.Options {
	return asynqmon.Options{
		RootPath: h.options.Path, RedisConnOpt: connection{queueFilter{h.options.Redis}}, ReadOnly: readOnly,
		PayloadFormatter: asynqmon.PayloadFormatterFunc(formatPayload),
		ResultFormatter:  asynqmon.ResultFormatterFunc(formatResult),
	}
}

// connection passes an existing client to asynqmon.
type connection struct{ queueFilter queueFilter }

var _ asynq.RedisConnOpt = connection{}

// MakeRedisClient returns the client for asynqmon.
func (c connection) MakeRedisClient() any { return c.queueFilter }

// Close releases the web UI's resources. The Redis client stays open.
func (h *Handler) Close() error { return h.inner.Close() }

// ServeHTTP serves everything below the path.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	setHeaders(w.Header())
	path, under := strings.CutPrefix(r.URL.Path, h.options.Path)
	api, isAPI := strings.CutPrefix(path, "/api")
	look := r.Method == http.MethodGet || r.Method == http.MethodHead
	mayOperate := h.options.MayOperate != nil && h.options.MayOperate(r)
	switch {
	case !under || path != "" && path[0] != '/':
		refuse(w, http.StatusNotFound, "Page not found.")
	case !look && !mayOperate:
		refuse(w, http.StatusForbidden, "Changes require an API key with the operate scope.")
	case isAPI && (api == "" || api[0] == '/'):
		h.serveAPI(w, r, api)
	case !look:
		refuse(w, http.StatusForbidden, notServed)
	case mayOperate:
		h.serveUI(w, r, path, h.operate)
	default:
		h.serveUI(w, r, path, h.look)
	}
}

// setHeaders sets the headers of every response.
func setHeaders(header http.Header) {
	header.Set("Cache-Control", "no-store")
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("X-Frame-Options", "DENY")
	header.Set("Referrer-Policy", "same-origin") // without it, browsers may send a null Origin
	header.Set("Cross-Origin-Resource-Policy", "same-origin")
	header.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
}

// refuse responds with a plain sentence, since asynqmon's pages show error bodies as they are.
func refuse(w http.ResponseWriter, status int, sentence string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(sentence + "\n"))
}
