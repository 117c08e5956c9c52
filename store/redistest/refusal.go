package redistest

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Refusal is a way in which a running Redis rejects writes.
type Refusal struct {
	Name string

	says, orSays string // Redis's reply to a write, and to a script that writes
	means        string // this service's explanation
	remedy       string // this service's remedy
	begin        func(t testing.TB, s *Server)
}

// Missing returns what an explanation of the refusal lacks: Redis's message, the cause, the remedy.
func (r Refusal) Missing(text string) []string {
	var missing []string
	if !strings.Contains(text, r.says) && !strings.Contains(text, r.orSays) {
		missing = append(missing, r.says)
	}
	for _, part := range []string{r.means, r.remedy} {
		if !strings.Contains(text, part) {
			missing = append(missing, part)
		}
	}
	return missing
}

// Start runs a server that takes writes until Begin.
func (r Refusal) Start(t testing.TB) *Server {
	t.Helper()
	return Start(t, Config("save", "3600 1"), Config("enable-protected-configs", "yes"))
}

// Begin makes a server from Start reject writes.
func (r Refusal) Begin(t testing.TB, s *Server) {
	t.Helper()
	s.refuseShared(t)
	r.begin(t, s)
}

// Refusals returns the ways in which a running Redis rejects writes.
func Refusals() []Refusal {
	return []Refusal{
		{"out of memory", "OOM", "OOM", "its memory is full", "Raise maxmemory", set("maxmemory", "1")},
		{"disk full", "MISCONF", "MISCONF", "it cannot persist them", "free disk space", FailSaving},
		{"read-only replica", "READONLY", "READONLY", "it is a read-only replica", "at the master", do("replicaof", "127.0.0.1", "1")},
		{"too few replicas", "NOREPLICAS", "NOREPLICAS", "too few replicas follow it", "Start the replicas", set("min-replicas-to-write", "1")},
		{"no permission", "NOPERM", "The user executing the script can't run", "user lacks rights", "ACL SETUSER <user> resetkeys ~ix:*", do("acl", "setuser", "default", "-@write")},
	}
}

func set(name, value string) func(testing.TB, *Server) { return do("config", "set", name, value) }

func do(args ...any) func(testing.TB, *Server) {
	return func(t testing.TB, s *Server) {
		t.Helper()
		if err := s.Client(t).Do(t.Context(), args...).Err(); err != nil {
			t.Fatalf("%v: %v", args, err)
		}
	}
}

// FailSaving makes saving fail as on a full disk, by pointing the server to a missing directory. It
// works for every user, including root. The server must save (save) and allow changing the
// directory (enable-protected-configs).
func FailSaving(t testing.TB, s *Server) {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "gone")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	do("config", "set", "dir", folder)(t, s)
	if err := os.Remove(folder); err != nil {
		t.Fatal(err)
	}
	do("bgsave")(t, s)
	client := newClient(s.Addr(), s.db)
	defer client.Close()
	err := poll(func(ctx context.Context) error {
		err := client.Set(ctx, "refused", "x", 0).Err()
		if err == nil {
			return errors.New("it still takes writes")
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
