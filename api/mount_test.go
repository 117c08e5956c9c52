package api

import (
	"net/http"
	"strings"
	"sync"
	"testing"
)

// Pages do not take the API's request slots.
func TestPagesTakeNoAPISlots(t *testing.T) {
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

// One address can take few page slots without a login, such as with slow login requests.
func TestStrangersHaveAShareOfThePagesByAddress(t *testing.T) {
	const most = 8
	r := newRig(t, func(d *Deps) { d.Settings.MaxRequests, d.Settings.TrustedProxies = 40, []string{"127.0.0.1"} })
	began, end := make(chan struct{}, most), make(chan struct{})
	finish := sync.OnceFunc(func() { close(end) })
	defer finish()
	r.Mount(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if req.URL.Path == "/known" {
			return
		}
		r.Stranger(w, req, http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
			began <- struct{}{}
			<-end
		}))
	}))
	from := func(address, path string) *reply {
		return r.call("", http.MethodGet, path, nil, "X-Forwarded-For", address)
	}
	ended := make(chan int, most+1)
	hold := func(address string) {
		go func() { ended <- from(address, "/login").StatusCode }()
		<-began
	}
	for range most {
		hold("192.0.2.1")
	}
	if got := from("192.0.2.1", "/login"); got.StatusCode != http.StatusTooManyRequests || got.Header.Get("Retry-After") != "5" || !strings.Contains(string(got.body), "without a session") {
		t.Errorf("one too many: %d: %s", got.StatusCode, got.body)
	}
	from("192.0.2.1", "/known").is(http.StatusOK, nil)
	hold("192.0.2.2")
	finish()
	for range most + 1 {
		if status := <-ended; status != http.StatusOK {
			t.Errorf("a request that was let in got %d", status)
		}
	}
	from("192.0.2.1", "/login").is(http.StatusOK, nil)
	shares := r.guards.shares
	shares.mu.Lock()
	defer shares.mu.Unlock()
	if len(shares.taken) != 0 || shares.together != 0 {
		t.Errorf("%v are remembered, %d strangers in all", shares.taken, shares.together)
	}
}
