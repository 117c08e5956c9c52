package main

import (
	"context"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/seekout/icims-export/config"
	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/icims/icimstest"
)

func TestSim(t *testing.T) {
	t.Parallel()
	t.Run("it prints a valid connections file", func(t *testing.T) {
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		ready := make(chan struct{})
		said := &watch{text: "Inspect it", then: func() { close(ready) }}
		file := &watch{text: "limits", then: func() {}}
		ended := make(chan int)
		go func() {
			p := &process{stdout: file, stderr: said, lookupEnv: os.LookupEnv}
			ended <- run(ctx, p, []string{"sim", "--listen=127.0.0.1:0", "--people=3", "--jobs=20", "--password=it's", "--fault=error503=1"})
		}()
		<-ready

		path := filepath.Join(t.TempDir(), "connections.yml")
		if err := os.WriteFile(path, []byte(file.String()), 0o600); err != nil {
			t.Fatal(err)
		}
		good, _, err := config.ReadConnections(path, func(string) (string, bool) { return "it's", true }, config.Settings{CallsPerSecond: 1, Burst: 1, InFlight: 1, CallsPerDay: 1, ExpressReserve: 1}.Limits())
		if err != nil || len(good) != 1 {
			t.Fatalf("%d connections, %v\n%s", len(good), err, file)
		}
		origin := regexp.MustCompile(`ICIMS_EXPORT_ICIMS_HOSTS=(\S+)`).FindStringSubmatch(said.String())[1]
		hosts, err := icims.ParseHostPolicy(origin)
		if err != nil {
			t.Fatal(err)
		}
		portals, err := icims.ParsePortalURLsOf("1234", good[0].PortalURLs, hosts)
		if err != nil || len(portals) != 2 {
			t.Errorf("%d portals, %v", len(portals), err)
		}
		if !strings.Contains(said.String(), `ICIMS_PASSWORD='it'\''s'`) {
			t.Errorf("the password is not quoted for a shell: %s", said)
		}
		res, err := http.Get(portals[0].String())
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		http.DefaultClient.CloseIdleConnections()
		if res.StatusCode != http.StatusUnauthorized {
			t.Errorf("without credentials it answers %d", res.StatusCode)
		}
		stop()
		if status := <-ended; status != statusDone {
			t.Errorf("exit status %d\n%s", status, said)
		}
	})
	t.Run("people, jobs and faults are as asked for", func(t *testing.T) {
		c := simCommand{Customer: "1234", Username: "u", Password: "p", People: 3, Jobs: 20, DailyLimit: 50, Fault: map[string]float64{"error503": 0.5}}
		sim, tenants, err := c.simulator()
		if err != nil {
			t.Fatal(err)
		}
		state := sim.State().Tenants[0]
		if state.People != 3 || state.Jobs != 20 || state.Limit != 50 || len(tenants) != 1 {
			t.Errorf("got %+v", state)
		}
		faults, err := c.faults()
		if want := (icimstest.Faults{Error503: 0.5}); err != nil || faults != want {
			t.Errorf("got %+v, %v", faults, err)
		}
	})
	t.Run("the tenant's limits are as asked for, and the connection keeps them", func(t *testing.T) {
		c := simCommand{
			Customer: "1234", Username: "u", Password: "p", Jobs: 1, DailyLimit: 50,
			Rate: 2.5, Burst: 3, InFlight: 4, Others: 0.1, RetryAfter: true, Calm: true,
		}
		_, tenants, err := c.simulator()
		if err != nil {
			t.Fatal(err)
		}
		if got := tenants[0]; got.Limits != (icimstest.Limits{CallsPerSecond: 2.5, Burst: 3, InFlight: 4}) || got.SecondSpender.Share != 0.1 {
			t.Errorf("%+v", got)
		}
		want := "limits: {calls_per_second: 2.5, burst: 3, in_flight: 4, calls_per_day: 50}"
		if got := connectionsFile("http://127.0.0.1:1", tenants); !strings.Contains(got, want) {
			t.Errorf("%s is not in\n%s", want, got)
		}
	})
	t.Run("invalid limits are refused", func(t *testing.T) {
		for _, c := range []simCommand{{Rate: -1}, {Burst: -1}, {InFlight: -1}, {Burst: 5}, {Others: 1}, {Others: -0.1}} {
			c.Customer, c.DailyLimit = "1234", 50
			if _, _, err := c.simulator(); err == nil {
				t.Errorf("%+v is accepted", c)
			}
		}
	})
	t.Run("every fault of the simulator can be enabled", func(t *testing.T) {
		for _, kind := range faultKinds() {
			if _, err := (&simCommand{Fault: map[string]float64{kind: 0.1}}).faults(); err != nil {
				t.Errorf("%s: %v", kind, err)
			}
		}
	})
	t.Run("tenants come from a file", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "tenants.yml")
		if err := os.WriteFile(path, []byte("tenants:\n  - {customer: \"5\", username: u, password: p}\n  - {customer: \"6\", username: u, password: p}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		sim, tenants, err := (&simCommand{Tenants: path}).simulator()
		if err != nil || len(sim.Tenants()) != 2 {
			t.Fatalf("%v", err)
		}
		if env := passwordEnv(tenants[1], tenants); env != "ICIMS_PASSWORD_6" {
			t.Errorf("got %s", env)
		}
	})
}
