package connections_test

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"
	"github.com/rs/zerolog"

	"github.com/seekout/icims-export/connections"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
)

// workers represents the consumer of the connections.
type workers struct {
	mu   sync.Mutex
	last []string // "customer user", ordered
	told chan []string
}

func (w *workers) apply(list []store.Connection) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last = nil
	for _, c := range list {
		w.last = append(w.last, c.Customer+" "+c.Username)
	}
	slices.Sort(w.last)
	w.told <- w.last
}

// latest returns what was applied last.
func (w *workers) latest() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.last
}

func newKeys(t *testing.T) *store.Keyset {
	t.Helper()
	keys, err := store.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func TestSource(t *testing.T) {
	t.Parallel()
	redistest.EachBackend(t, func(t *testing.T, client redis.UniversalClient) {
		ctx, ledger := t.Context(), store.NewLedger(client, newKeys(t))
		add := func(c store.Connection) {
			t.Helper()
			if _, err := ledger.Connections.Add(ctx, c, "ana", ""); err != nil {
				t.Fatal(err)
			}
		}
		var log bytes.Buffer
		w := &workers{told: make(chan []string, 100)}
		s := connections.NewSource(ledger, hosts(t, ""), zerolog.New(&log), w.apply)
		fromFile := good("9")
		fromFile.Username = "file"
		both := good("77")
		both.Username = "file"
		s.SetFile([]store.Connection{fromFile, both})
		if len(w.told) != 0 {
			t.Error("applied before the store was read")
		}
		add(good("77"))
		add(good("1234"))
		dancer := good("5")
		dancer.Capabilities = "dance"
		add(dancer)
		broken := good("6")
		broken.PortalURLs = "https://example.com/customers/6/search/portals/1"
		add(broken)
		if err := s.Load(ctx); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff([]string{"1234 export-user", "77 export-user", "9 file"}, <-w.told); diff != "" {
			t.Errorf("the store's win over the file's (-want +got):\n%s", diff)
		}
		if text := log.String(); !strings.Contains(text, `the capability \"export\"`) || !strings.Contains(text, "not one of iCIMS's") || strings.Contains(text, password) {
			t.Errorf("the log lacks the reason: %s", text)
		}

		running, stop := context.WithCancel(ctx)
		file, ended := make(chan []store.Connection), make(chan struct{})
		go func() { defer close(ended); s.Run(running, file) }()
		defer func() { stop(); <-ended }()
		expect := func(what string, want ...string) {
			t.Helper()
			for got := range w.told { // nothing follows a wrong one, and the test times out
				if cmp.Equal(want, got) {
					return
				}
				t.Logf("%s: %v on the way", what, got)
			}
		}
		add(good("88"))
		expect("added while it runs", "1234 export-user", "77 export-user", "88 export-user", "9 file")
		changed := good("88")
		changed.Username = "other"
		if _, err := ledger.Connections.Edit(ctx, changed, 1, "ana", ""); err != nil {
			t.Fatal(err)
		}
		expect("edited", "1234 export-user", "77 export-user", "88 other", "9 file")
		if err := ledger.Connections.Remove(ctx, "77", 0, "ana", ""); err != nil {
			t.Fatal(err)
		}
		expect("removed, though the file has it", "1234 export-user", "88 other", "9 file")
		file <- nil
		expect("the file is empty now", "1234 export-user", "88 other")
	})
}

// TestSourceFindsWhatItMissed: changes made while nothing was subscribed are found without a
// message.
func TestSourceFindsWhatItMissed(t *testing.T) {
	t.Parallel()
	client := redistest.Shared(t).Client(t)
	ctx, ledger := t.Context(), store.NewLedger(client, newKeys(t))
	w := &workers{told: make(chan []string, 100)}
	s := connections.NewSource(ledger, hosts(t, ""), zerolog.Nop(), w.apply)
	if err := s.Load(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := ledger.Connections.Add(ctx, good("1234"), "ana", ""); err != nil {
		t.Fatal(err)
	}
	if err := connections.CatchUp(s, ctx); err != nil {
		t.Fatal(err)
	}
	if got := <-w.told; !cmp.Equal(got, []string{"1234 export-user"}) {
		t.Errorf("applied %v", got)
	}
	if err := connections.CatchUp(s, ctx); err != nil || len(w.told) != 0 {
		t.Errorf("applied %d more without a change (%v)", len(w.told), err)
	}
}
