package main

import (
	"context"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"regexp"
	"strings"
	"testing"
)

func TestDemo(t *testing.T) {
	t.Parallel()
	t.Run("the summary is one JSON object whose sums add up", func(t *testing.T) {
		r := call(t, "demo", "--json", "--candidates=60")
		r.wantStatus(t, statusDone)
		if n := strings.Count(r.out, "\n"); n != 1 {
			t.Errorf("%d lines on stdout, want 1", n)
		}
		s := decode[demoSummary](t, r.out)
		if s.Accepted == 0 || s.Accepted != s.Created+s.Updated+s.Skipped+s.Dead {
			t.Errorf("accepted %d is not the sum of its parts: %+v", s.Accepted, s)
		}
		for name, n := range map[string]int{"refused": s.Refused, "created": s.Created, "updated": s.Updated, "skipped": s.Skipped, "calls": s.Calls} {
			if n == 0 {
				t.Errorf("there are no %s to see", name)
			}
		}
		if s.Dead != 0 {
			t.Errorf("there are %d dead letters", s.Dead)
		}
		if s.People != 60 || s.Workflows != s.Created+s.Updated || len(s.Violations) > 0 {
			t.Errorf("iCIMS has %d people and %d workflows, violations %v", s.People, s.Workflows, s.Violations)
		}
		if again := s.Batches[1]; again.Calls != 0 || again.Skipped != again.Accepted {
			t.Errorf("sent again, %d of %d were skipped, with %d calls", again.Skipped, again.Accepted, again.Calls)
		}
	})
	t.Run("the table goes to stdout, without colors if it is no terminal", func(t *testing.T) {
		r := call(t, "demo", "--candidates=20", "--exit")
		r.wantStatus(t, statusDone)
		for _, want := range []string{"created", "updated", "skipped", "dead", "refused", "calls to iCIMS", "email is missing"} {
			if !strings.Contains(r.out, want) {
				t.Errorf("%q is missing in\n%s", want, r.out)
			}
		}
		r.wantNone(t, "\x1b", "\r", "linkedin.com")
		if !strings.Contains(r.errors, "Nothing is kept") {
			t.Errorf("it is not said that nothing lasts: %s", r.errors)
		}
	})
}

func TestDemoServesTheAPIUntilStopped(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ready := make(chan struct{})
	said := &watch{text: "without a connection", then: func() { close(ready) }}
	out := &watch{text: "curl", then: func() {}}
	ended := make(chan int, 1)
	go func() {
		p := &process{stdout: out, stderr: said, lookupEnv: os.LookupEnv}
		ended <- run(ctx, p, []string{"demo", "--candidates=10"})
	}()
	select {
	case <-ready:
	case status := <-ended:
		t.Fatalf("it ended with %d: %s", status, said)
	}
	shown := regexp.MustCompile(`API=(\S+) KEY=(\S+)`).FindStringSubmatch(out.String())
	if shown == nil {
		t.Fatalf("no address and key are shown: %s", out)
	}
	for _, customer := range []string{demoCustomer, demoFresh} {
		res := request(t, http.DefaultClient, http.MethodGet, shown[1]+"/v1/customers/"+customer+"/connection", nil, "Authorization", "Bearer "+shown[2])
		if want := map[string]int{demoCustomer: http.StatusOK, demoFresh: http.StatusNotFound}[customer]; res.status != want {
			t.Errorf("the connection of %s: %d", customer, res.status)
		}
	}
	if res := request(t, http.DefaultClient, http.MethodGet, regexp.MustCompile(`http://\S+/metrics`).FindString(said.String()), nil); res.status != http.StatusOK {
		t.Errorf("metrics: %d", res.status)
	}
	t.Run("a pause in asynq's web UI is in the audit log with its user", func(t *testing.T) {
		jar, err := cookiejar.New(nil)
		if err != nil {
			t.Fatal(err)
		}
		browser := &http.Client{Jar: jar}
		defer browser.CloseIdleConnections()
		if res := request(t, browser, http.MethodPost, shown[1]+"/login", url.Values{"key": {shown[2]}, "next": {"/monitoring"}}); res.status != http.StatusOK || !strings.Contains(res.text, "<title>Queues") {
			t.Fatalf("the web UI after the log-in: %d: %s", res.status, res.text)
		}
		if res := request(t, browser, http.MethodPost, shown[1]+"/monitoring/api/queues/icims:"+demoCustomer+":pause", url.Values{}); res.status != http.StatusNoContent {
			t.Fatalf("the pause: %d: %s", res.status, res.text)
		}
		entries := request(t, http.DefaultClient, http.MethodGet, shown[1]+"/v1/journal?what=asynq+pause-queue", nil, "Authorization", "Bearer "+shown[2])
		if entries.status != http.StatusOK || strings.Count(entries.text, `"who":"demo"`) != 2 || !strings.Contains(entries.text, `"done"`) {
			t.Errorf("the journal: %d: %s", entries.status, entries.text)
		}
	})
	http.DefaultClient.CloseIdleConnections()
	stop()
	if status := <-ended; status != statusDone {
		t.Errorf("it ended with %d: %s", status, said)
	}
}

// answered is a response whose body was read.
type answered struct {
	status int
	text   string
}

// request makes a request, with a form if there is one. header alternates names and values.
func request(t *testing.T, client *http.Client, method, address string, form url.Values, header ...string) answered {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, address, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	if form != nil {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for i := 0; i+1 < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answered{res.StatusCode, string(text)}
}
