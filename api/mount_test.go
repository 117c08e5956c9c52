package api

import (
	"net/http"
	"strings"
	"sync"
	"testing"
)

// Whoever has no key can keep pages busy, such as with log-ins that come slowly, and no
// more than these.
func TestPagesTakeNoPlacesOfTheAPI(t *testing.T) {
	const most = 4
	r := newRig(t, func(d *Deps) { d.Settings.MaxRequests = most })
	began, end := make(chan struct{}, most), make(chan struct{})
	finish := sync.OnceFunc(func() { close(end) })
	defer finish()
	r.Mount(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		began <- struct{}{}
		<-end
	}))
	key, ended := r.key(ScopeRead), make(chan int, most)
	for range most {
		go func() { ended <- r.call("", http.MethodGet, "/page", nil).StatusCode }()
		<-began
	}
	if got := r.call("", http.MethodGet, "/page", nil); got.StatusCode != http.StatusServiceUnavailable || !strings.Contains(string(got.body), "Try again in a few seconds") {
		t.Errorf("one too many: %d: %s", got.StatusCode, got.body)
	}
	r.call(key, http.MethodGet, "/v1/whoami", nil).is(http.StatusOK, nil)
	finish()
	for range most {
		if status := <-ended; status != http.StatusOK {
			t.Errorf("a page that was being answered got %d", status)
		}
	}
	r.call("", http.MethodGet, "/page", nil).is(http.StatusOK, nil)
}
