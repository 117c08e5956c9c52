package api

import (
	"net/http"
	"testing"
)

// Whoever has no key can keep pages busy, such as with log-ins that come slowly, and no
// more than these.
func TestPagesTakeNoPlacesOfTheAPI(t *testing.T) {
	const most = 4
	r := newRig(t, func(d *Deps) { d.Settings.MaxRequests = most })
	began, end := make(chan struct{}, most), make(chan struct{})
	r.Mount(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		began <- struct{}{}
		<-end
	}))
	key, ended := r.key(ScopeRead), make(chan int, most)
	for range most {
		go func() { ended <- r.call("", http.MethodGet, "/page", nil).StatusCode }()
		<-began
	}
	r.call("", http.MethodGet, "/page", nil).problem(CodeBusy)
	r.call(key, http.MethodGet, "/v1/whoami", nil).is(http.StatusOK, nil)
	close(end)
	for range most {
		if status := <-ended; status != http.StatusOK {
			t.Errorf("a page that was being answered got %d", status)
		}
	}
	r.call("", http.MethodGet, "/page", nil).is(http.StatusOK, nil)
}
