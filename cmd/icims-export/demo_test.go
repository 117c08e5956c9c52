package main

import (
	"context"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
)

func TestDemo(t *testing.T) {
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
	t.Run("the table goes to stdout, without colours where it is no terminal", func(t *testing.T) {
		r := call(t, "demo", "--candidates=20", "--exit")
		r.wantStatus(t, statusDone)
		for _, want := range []string{"created", "updated", "skipped", "dead", "refused", "calls to iCIMS", "email is missing"} {
			if !strings.Contains(r.out, want) {
				t.Errorf("%q is missing in\n%s", want, r.out)
			}
		}
		r.wantNone(t, "\x1b", "\r", "linkedin.com")
		if !strings.Contains(r.errors, "nothing of it lasts") {
			t.Errorf("it is not said that nothing lasts: %s", r.errors)
		}
	})
}

func TestDemoServesTheAPIUntilItIsStopped(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ready := make(chan struct{})
	said := &watch{text: "whose connection is not entered yet", then: func() { close(ready) }}
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
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, shown[1]+"/v1/customers/"+customer+"/connection", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+shown[2])
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if want := map[string]int{demoCustomer: http.StatusOK, demoFresh: http.StatusNotFound}[customer]; res.StatusCode != want {
			t.Errorf("the connection of %s: %d", customer, res.StatusCode)
		}
	}
	metrics := regexp.MustCompile(`http://\S+/metrics`).FindString(said.String())
	for name, address := range map[string]string{"the console": shown[1] + "/login", "metrics": metrics} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, address, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		if res.StatusCode != http.StatusOK {
			t.Errorf("%s at %s: %d", name, address, res.StatusCode)
		}
	}
	http.DefaultClient.CloseIdleConnections()
	stop()
	if status := <-ended; status != statusDone {
		t.Errorf("it ended with %d: %s", status, said)
	}
}
