package worker_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/rs/zerolog"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/internal/testrig"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
	"github.com/seekout/icims-export/worker"
)

// While Redis refuses writes, the worker's log gives the cause and the remedy.
func TestLogNamesARefusingRedis(t *testing.T) {
	for _, refusal := range redistest.Refusals() {
		t.Run(refusal.Name, func(t *testing.T) {
			t.Parallel()
			server := refusal.Start(t)
			client := server.Client(t)
			keys, err := store.NewKeyset()
			if err != nil {
				t.Fatal(err)
			}
			logs := &testrig.Log{}
			w := worker.New(client, store.NewLedger(client, keys), worker.DefaultSettings(), icims.HostPolicy{}, zerolog.New(logs))
			if err := w.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(w.Stop)
			refusal.Begin(t, server)
			explained := func() string {
				for line := range strings.Lines(logs.String()) {
					var l struct{ Redis, Remedy string }
					if err := json.Unmarshal([]byte(line), &l); err == nil && l.Redis != "" {
						return l.Redis + " " + l.Remedy
					}
				}
				return ""
			}
			testrig.Eventually(t, "the log explains it", func() bool { return explained() != "" })
			if missing := refusal.Missing(explained()); len(missing) > 0 {
				t.Errorf("the log lacks %q: %s", missing, explained())
			}
		})
	}
}
