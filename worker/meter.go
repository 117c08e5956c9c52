package worker

import (
	"context"
	"net/http"
	"sync/atomic"

	"github.com/seekout/icims-export/icims"
)

// meter counts what exports cost in calls, so that the end of a batch can be
// foretold.
type meter struct {
	ahead atomic.Int64 // calls that no export made for itself: look-ups ahead
}

type expensesKey struct{}

// begin returns a context whose calls are counted, and where.
func (m *meter) begin(ctx context.Context) (context.Context, *atomic.Int64) {
	expenses := &atomic.Int64{}
	return context.WithValue(ctx, expensesKey{}, expenses), expenses
}

// middleware counts the calls that iCIMS can have seen.
func (m *meter) middleware(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		answer, err := next.RoundTrip(req)
		if icims.SentOf(req.Context()) != icims.SentNo {
			expenses, ok := req.Context().Value(expensesKey{}).(*atomic.Int64)
			if !ok {
				expenses = &m.ahead
			}
			expenses.Add(1)
		}
		return answer, err
	})
}

// countInto counts the calls of one errand, those of its exports included.
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

// take returns what an export has spent since it was claimed. The first one to
// end with calls of its own bears those that were made ahead for many.
func (m *meter) take(x *export) int {
	n := x.expenses.Swap(0)
	if n > 0 {
		n += m.ahead.Swap(0)
	}
	return int(n)
}
