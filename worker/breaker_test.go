package worker

import (
	"errors"
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store"
)

func TestBreaker(t *testing.T) {
	call := func(t *testing.T, b *breaker, status int, err error) error {
		t.Helper()
		next := roundTripper(func(*http.Request) (*http.Response, error) {
			if err != nil {
				return nil, err
			}
			return &http.Response{StatusCode: status, Header: http.Header{"X-Transaction": {"T"}}, Body: http.NoBody}, nil
		})
		answer, err := b.middleware(next).RoundTrip((&http.Request{}).WithContext(t.Context()))
		if answer != nil {
			_ = answer.Body.Close()
		}
		return err
	}
	cases := []struct {
		name   string
		status []int
		err    error
		opens  bool
	}{
		{name: "server errors open the breaker", status: []int{500, 502, 503, 504, 408}, opens: true},
		{name: "lost connections open the breaker", err: errors.New("connection reset"), opens: true},
		{name: "refused data does not open it", status: []int{400, 404, 401, 403, 429}},
		{name: "calls without a permit do not open it", err: &icims.RefusedError{Reason: icims.ReasonQuotaExhausted}},
		{name: "half of the calls failing does not open it", status: []int{200, 503}},
		{name: "refused data does not hide failing calls", status: []int{503, 422}, opens: true},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBreaker("1234", zerolog.Nop(), func(string) {})
				for i := range 40 {
					status := 0
					if len(c.status) > 0 {
						status = c.status[i%len(c.status)]
					}
					_ = call(t, b, status, c.err)
				}
				if open := b.refusal() != nil; open != c.opens {
					t.Fatalf("open: %v, want %v", open, c.opens)
				}
				if !c.opens {
					return
				}
				wantRefusal(t, call(t, b, 200, nil), icims.Reason(store.ReasonBreakerOpen))
				time.Sleep(breakerOpenFor + time.Second)
				if err := call(t, b, 200, nil); err != nil {
					t.Fatalf("the probe: %v", err)
				}
				if err := call(t, b, 200, nil); err != nil {
					t.Errorf("after a good probe: %v", err)
				}
			})
		})
	}
}

func wantRefusal(t *testing.T, err error, reason icims.Reason) {
	t.Helper()
	refused, ok := errors.AsType[*icims.RefusedError](err)
	if !ok || refused.Reason != reason {
		t.Fatalf("%v, want a refusal for %s", err, reason)
	}
}
