package worker

import (
	"context"
	"net/http"
	"sync/atomic"

	"github.com/seekout/icims-export/icims"
)

type callCountKey struct{}

// withCallCount returns a context whose calls are counted, and the counter. The forecast needs
// the calls per export.
func withCallCount(ctx context.Context) (context.Context, *atomic.Int64) {
	calls := &atomic.Int64{}
	return context.WithValue(ctx, callCountKey{}, calls), calls
}

// countCalls counts the calls of a context from withCallCount that iCIMS may have received.
func countCalls(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		answer, err := next.RoundTrip(req)
		if calls, ok := req.Context().Value(callCountKey{}).(*atomic.Int64); ok && icims.SentOf(req.Context()) != icims.SentNo {
			calls.Add(1)
		}
		return answer, err
	})
}

// countInto counts the calls of one control task, including those of its exports.
func countInto(n *atomic.Int64) icims.Middleware {
	return func(next http.RoundTripper) http.RoundTripper {
		return roundTripper(func(req *http.Request) (*http.Response, error) {
			answer, err := next.RoundTrip(req)
			if icims.SentOf(req.Context()) != icims.SentNo {
				n.Add(1)
			}
			return answer, err
		})
	}
}

type roundTripper func(*http.Request) (*http.Response, error)

func (f roundTripper) RoundTrip(req *http.Request) (*http.Response, error) { return f(req) }
