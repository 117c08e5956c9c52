package worker_test

import (
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
	"github.com/seekout/icims-export/tasks/input"
)

// tableOfKeys reads the keys in docs/redis-keys.md and their lifetimes.
func tableOfKeys(t *testing.T) map[*regexp.Regexp]string {
	t.Helper()
	text, err := os.ReadFile("../docs/redis-keys.md")
	if err != nil {
		t.Fatal(err)
	}
	table := map[*regexp.Regexp]string{}
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.TrimSpace(line), " | ")
		if !strings.HasPrefix(line, "| `ix:") || len(cells) != 4 {
			continue
		}
		name := strings.Split(cells[0], "`")[1]
		pattern := regexp.MustCompile(`<[^>]+>`).ReplaceAllString(regexp.QuoteMeta(strings.ReplaceAll(name, "{1234}", "{<c>}")), `[^:{}]+`)
		table[regexp.MustCompile("^"+pattern+"$")] = strings.TrimSuffix(cells[3], " |")
	}
	return table
}

// The table lists every key and its lifetime.
func TestKeyTableIsComplete(t *testing.T) {
	t.Parallel()
	table := tableOfKeys(t)
	if len(table) < 40 {
		t.Fatalf("the table has %d keys", len(table))
	}
	for pattern, life := range table {
		if len(life) < len("1 hour") {
			t.Errorf("%s: lifetime missing: %q", pattern, life)
		}
	}
	r := newRig(t, rigOptions{sim: calm()})
	bulk := people(60)
	r.run(input.ToJob(job), input.Options{}, bulk...)
	wrong := r.run(input.ToJob(99999), input.Options{}, ana())
	if wrong.Dead != 1 {
		t.Errorf("%+v", wrong)
	}
	if _, err := r.ledger.Connections.Add(t.Context(), r.conn, "ana", ""); err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.ledger.Access.NewAPIKey(t.Context(), store.APIKey{Name: "ana", Scopes: []string{"read"}}, time.Now()); err != nil {
		t.Fatal(err)
	}
	r.must(r.ledger.AuditLog.Append(t.Context(), store.AuditLogEntry{What: "pause", Customer: customer}))
	if _, err := r.ledger.Candidates.Erase(t.Context(), customer, bulk[0].ID, store.EraseOptions{Who: "ana"}); err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, entry := range redistest.Dump(t, r.redis) {
		if strings.HasPrefix(entry.Key, "asynq:") {
			continue
		}
		named := false
		for pattern := range table {
			named = named || pattern.MatchString(entry.Key)
		}
		if seen++; !named {
			t.Errorf("docs/redis-keys.md does not name the key %s", entry.Key)
		}
	}
	if seen < 20 {
		t.Errorf("only %d keys were seen", seen)
	}
}
