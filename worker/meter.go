package worker

import (
	"context"
	"net/http"
	"sync/atomic"

	"github.com/seekout/icims-export/icims"
)

type expensesKey struct{}

// withExpenses returns a context whose calls are counted, and where: the forecast needs to
// know what exports cost.
func withExpenses(ctx context.Context) (context.Context, *atomic.Int64) {
	expenses := &atomic.Int64{}
	return context.WithValue(ctx, expensesKey{}, expenses), expenses
}

// countExpenses counts the calls of a context withExpenses that iCIMS can have seen.
func countExpenses(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(req *http.Request) (*http.Response, error) {
		answer, err := next.RoundTrip(req)
		if expenses, ok := req.Context().Value(expensesKey{}).(*atomic.Int64); ok && icims.SentOf(req.Context()) != icims.SentNo {
			expenses.Add(1)
		}
		return answer, err
	})
}

// countInto counts the calls of one control task, those of its exports included.
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
