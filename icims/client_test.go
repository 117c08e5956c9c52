package icims

import (
	"net/http"
	"strings"
	"testing"
)

func TestNewRefuses(t *testing.T) {
	auth := Basic("u", "s3cret")
	root := "https://api.icims.com"
	tests := []struct {
		name, root, customer string
		auth                 Auth
		opts                 []Option
		says                 string
	}{
		{"a root without a host", "/x", "1", auth, nil, "API root"},
		{"a root of another scheme", "ftp://api.icims.com", "1", auth, nil, "API root"},
		{"a root with a password", "https://u:s3cret@api.icims.com", "1", auth, nil, "must not contain user"},
		{"a root with a query", "https://api.icims.com?a=b", "1", auth, nil, "must not contain user"},
		{"no customer", root, "", auth, nil, "customer ID"},
		{"a customer that is no number", root, "12/3", auth, nil, "customer ID"},
		{"no auth", root, "1", nil, nil, "auth"},
		{"no time", root, "1", auth, []Option{WithCallTimeout(0)}, "call timeout"},
		{"no body", root, "1", auth, []Option{WithMaxBody(0)}, "maximum response"},
		{"a nil middleware", root, "1", auth, []Option{WithMiddleware(nil...), WithMiddleware(Middleware(nil))}, "middleware"},
		{"a nil transport", root, "1", auth, []Option{WithBaseTransport(nil)}, "base transport"},
		{"a nil clock", root, "1", auth, []Option{WithClock(nil)}, "clock"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := New(mustURL(t, tt.root), tt.customer, tt.auth, tt.opts...)
			if err == nil || !strings.Contains(err.Error(), tt.says) || strings.Contains(err.Error(), "s3cret") {
				t.Errorf("got %v, want to hear about %q", err, tt.says)
			}
		})
	}
	if _, err := New(nil, "1", auth); err == nil {
		t.Error("a nil root is accepted")
	}
}

func TestUserAgent(t *testing.T) {
	c, mux := setup(t)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if got := r.UserAgent(); got != "icims-export" {
			t.Errorf("user agent %q", got)
		}
		w.WriteHeader(204)
	})
	if _, err := c.PatchPerson(t.Context(), 1, personFields); err != nil {
		t.Fatal(err)
	}
}
