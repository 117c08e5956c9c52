package api

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// A closed page is not logged as an error.
func TestClosedRequestIsNoError(t *testing.T) {
	for name, tt := range map[string]struct {
		end     func(context.Context) (context.Context, context.CancelFunc)
		level   string
		counted int
	}{
		"the caller left": {func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			return ctx, cancel
		}, "debug", statusCallerGone},
		"the time was up": {func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithDeadline(ctx, time.Unix(0, 0))
		}, "error", http.StatusServiceUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			counted := 0
			r := newRig(t, func(d *Deps) { d.Answered = func(_ string, status int, _ time.Duration) { counted = status } })
			ctx, cancel := tt.end(t.Context())
			defer cancel()
			req := httptest.NewRequestWithContext(ctx, http.MethodGet, "/v1/customers/"+mine+"/connection", nil)
			req.Header.Set("Authorization", "Bearer "+r.key(ScopeRead, mine))
			r.Handler().ServeHTTP(httptest.NewRecorder(), req)
			if line := r.log.String(); !strings.Contains(line, `"level":"`+tt.level+`"`) || !strings.Contains(line, string(CodeUnavailable)) || counted != tt.counted {
				t.Errorf("counted as %d, logged as %s", counted, line)
			}
		})
	}
}
