package main

import (
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/seekout/icims-export/api"
)

// address reads stderr until the API's address is logged.
func (s *started) address(t *testing.T) string {
	t.Helper()
	for s.lines.Scan() {
		var line struct{ Message, Address string }
		if json.Unmarshal(s.lines.Bytes(), &line) == nil && line.Message == "API started" {
			return line.Address
		}
	}
	t.Fatal("it ended without serving")
	return ""
}

func TestServeUntilStopped(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts processes")
	}
	w := newWard(t)
	s := startCommand(t, w.at(w.url, "serve", "--api-listen=127.0.0.1:0", "--log-format=json")...)
	s.until(t, "no usable API key")
	address := s.address(t)
	token := strings.TrimSpace(w.call("apikeys", "new", "--name=console", "--scope=admin", "--all-customers").out)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+address+"/v1/whoami", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	response, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	defer response.Body.Close()
	var who api.WhoAmI
	if err := json.NewDecoder(response.Body).Decode(&who); err != nil || who.Name != "console" || !who.AllCustomers {
		t.Errorf("%d %+v, %v", response.StatusCode, who, err)
	}
	s.signal(t, syscall.SIGTERM)
	s.until(t, "API stopped")
	s.wantEnd(t)
}

func TestServeRefusesInvalidSettings(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	broken := filepath.Join(t.TempDir(), "broken.pem")
	if err := os.WriteFile(broken, []byte("no PEM"), 0o600); err != nil {
		t.Fatal(err)
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for name, tt := range map[string]struct {
		args []string
		says string
	}{
		"an address that is taken":        {[]string{"--api-listen=" + taken.Addr().String()}, "cannot listen on 127.0.0.1:"},
		"a certificate that is not there": {[]string{"--api-tls-cert=/nowhere.pem", "--api-tls-key=" + broken}, "ICIMS_EXPORT_API_TLS_CERT"},
		"a certificate that is none":      {[]string{"--api-tls-cert=" + broken, "--api-tls-key=" + broken}, "both must be PEM"},
	} {
		t.Run(name, func(t *testing.T) {
			r := w.call(append([]string{"serve", "--log-level=disabled"}, tt.args...)...)
			r.wantStatus(t, statusUsage)
			if !strings.Contains(r.errors, tt.says) {
				t.Errorf("it says %s", r.errors)
			}
		})
	}
	t.Run("an embedded Redis", func(t *testing.T) {
		r := call(t, "serve", "--redis-url=embedded")
		r.wantStatus(t, statusUsage)
		if !strings.Contains(r.errors, "no worker can reach it") {
			t.Errorf("it says %s", r.errors)
		}
	})
}
