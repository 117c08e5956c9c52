package main

import (
	"strings"
	"syscall"
	"testing"

	"github.com/seekout/icims-export/store/redistest"
)

// Worker and API log Redis settings that may lose exports at startup. Without CONFIG they log what
// could not be checked.
func TestRedisRisksAreLoggedAtStartup(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts processes")
	}
	forbidden := func(command string) redistest.Option { return redistest.Config("rename-command", command+` ""`) }
	for name, c := range map[string]struct {
		options []redistest.Option
		says    string
	}{
		"CONFIG is forbidden":           {[]redistest.Option{forbidden("CONFIG"), redistest.Config("maxmemory-policy", "allkeys-lru")}, "may evict keys"},
		"CONFIG and INFO are forbidden": {[]redistest.Option{forbidden("CONFIG"), forbidden("INFO")}, "could not be checked"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			url := redistest.Start(t, c.options...).URL()
			for running, args := range map[string][]string{"worker started": {"worker"}, "API started": {"serve", "--api-listen=127.0.0.1:0"}} {
				s := startCommand(t, b.at(url, args...)...)
				for s.until(t, "AT RISK: "); !strings.Contains(s.lines.Text(), c.says); {
					s.until(t, "AT RISK: ")
				}
				s.until(t, running)
				s.signal(t, syscall.SIGTERM)
				s.wantEnd(t)
			}
		})
	}
}
