package testrig

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/seekout/icims-export/config"
	"github.com/seekout/icims-export/store"
)

// Verified returns the tenant profile of a verified simulator.
func Verified() store.TenantProfile {
	return store.TenantProfile{
		VerifiedAt: time.Now().UnixMilli(), SearchOr: store.Yes, SeesPeople: store.Yes, ReadsPair: store.Yes, SeesFolder: store.Yes, KeepsStatus: store.Yes,
	}
}

// Verify stores that profile for a connection. revision is 0 for one of the connections file.
func Verify(t testing.TB, l *store.Ledger, c store.Connection, revision int64) {
	t.Helper()
	if err := l.Connections.SaveProfile(t.Context(), c, revision, Verified()); err != nil {
		t.Fatal(err)
	}
}

// VerifyFile stores that profile for the connections of a file, with changes. env is the
// environment of the program that reads the file.
func VerifyFile(t testing.TB, l *store.Ledger, path string, env []string, changes ...func(*store.TenantProfile)) {
	t.Helper()
	value := func(name string) (string, bool) {
		for _, e := range env {
			if v, is := strings.CutPrefix(e, name+"="); is {
				return v, true
			}
		}
		return os.LookupEnv(name)
	}
	all, _, err := config.ReadConnections(path, value, store.DefaultLimits())
	if err != nil || len(all) == 0 {
		t.Fatalf("%d connections of %s, %v", len(all), path, err)
	}
	profile := Verified()
	for _, change := range changes {
		change(&profile)
	}
	for _, c := range all {
		if err := l.Connections.SaveProfile(t.Context(), c, 0, profile); err != nil {
			t.Fatal(err)
		}
	}
}
