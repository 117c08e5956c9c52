package main

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"
	"go.uber.org/goleak"

	"github.com/seekout/icims-export/icims/icimstest"
	"github.com/seekout/icims-export/store"
)

// asCommand makes the test binary run as the command, for tests that need a separate process.
const asCommand = "ICIMS_EXPORT_TEST_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
	}
	for name, value := range testVariables {
		if err := os.Setenv(name, value); err != nil {
			panic(err)
		}
	}
	// Most tests wait for workers.
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

// testVariables are the environment variables of all tests. Tests must not change them.
var testVariables = map[string]string{
	"TEST_ICIMS_PASSWORD": testPassword,
	"WRONG_PASSWORD":      "not-" + testPassword,
	"SOME_PASSWORD":       "a-password-of-no-account",
}

// result is the output and status of a command.
type result struct {
	status      int
	out, errors string
}

// invoke runs the command in this process.
func invoke(ctx context.Context, stdin io.Reader, args ...string) result {
	var out, errors bytes.Buffer
	p := &process{
		stdin: stdin, stdout: &out, stderr: &errors, lookupEnv: os.LookupEnv,
	}
	status := run(ctx, p, args)
	return result{status, out.String(), errors.String()}
}

func call(t *testing.T, args ...string) result {
	t.Helper()
	return invoke(t.Context(), strings.NewReader(""), args...)
}

// wantStatus checks the exit status.
func (r result) wantStatus(t *testing.T, status int) {
	t.Helper()
	if r.status != status {
		t.Fatalf("exit status %d, want %d\nstdout: %s\nstderr: %s", r.status, status, r.out, r.errors)
	}
}

// wantNone fails if any of the texts was printed.
func (r result) wantNone(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if strings.Contains(r.out, text) || strings.Contains(r.errors, text) {
			t.Errorf("%q was printed\nstdout: %s\nstderr: %s", text, r.out, r.errors)
		}
	}
}

// decode reads the last line of stdout, or all of it, as JSON.
func decode[T any](t *testing.T, text string) T {
	t.Helper()
	var v T
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatalf("not JSON: %v\n%s", err, text)
	}
	return v
}

const (
	testPassword = "hunter2-of-the-simulator"
	testJob      = "1709"
)

// bench is a simulated iCIMS with a connections file and a keyset.
type bench struct {
	sim         *icimstest.Simulator
	tenant      *icimstest.Tenant
	origin      string
	folder      string
	connections string
	keyset      string
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{sim: icimstest.New(icimstest.Config{Latency: icimstest.Latency{None: true}, Quirks: icimstest.Quirks{None: true}}), folder: t.TempDir()}
	tenant := icimstest.DemoTenant("1234", "export-user", testPassword)
	tenant.DailyLimit = 1_000_000
	b.tenant = b.sim.AddTenant(tenant)
	server := icimstest.NewServer(b.sim)
	t.Cleanup(server.Close)
	b.origin = server.URL
	b.connections = b.file(t, "connections.yml", b.connection("TEST_ICIMS_PASSWORD"))
	keys, err := store.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	data, err := keys.Export()
	if err != nil {
		t.Fatal(err)
	}
	b.keyset = b.file(t, "keyset.json", string(data))
	return b
}

// connection returns a connections file with one connection.
func (b *bench) connection(passwordEnv string) string {
	return fmt.Sprintf("connections:\n  - customer: \"1234\"\n    username: export-user\n    password_env: %s\n    portal_urls: \"%s/customers/1234/search/portals/1?staleness=0\"\n"+
		"    linkedin_field: field51001\n    limits: {calls_per_second: 500, burst: 500, in_flight: 8}\n", passwordEnv, b.origin)
}

func (b *bench) file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(b.folder, name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// embedded returns the flags for an embedded Redis.
func (b *bench) embedded(args ...string) []string {
	return append(args, "--redis-url=embedded", "--connections="+b.connections, "--icims-hosts="+b.origin)
}

// shared returns the flags for a separate Redis.
func (b *bench) shared(redis *miniredis.Miniredis, args ...string) []string {
	return b.at("redis://"+redis.Addr(), args...)
}

// at returns the flags for a Redis URL.
func (b *bench) at(url string, args ...string) []string {
	return append(args, "--redis-url="+url, "--connections="+b.connections, "--icims-hosts="+b.origin, "--keyset="+b.keyset)
}

// candidates are two good rows, one of them without an email, and one invalid row.
const candidates = `{"id":"c-1","first_name":"Ottoline","last_name":"Quillfeather","email":"ottoline@example.com","phones":[{"number":"+1 425 555 0143","type":"mobile"}],"linkedin_url":"https://www.linkedin.com/in/example","work_experience":[{"employer":"Contoso","title":"Data Engineer","start":"2021-03"}],"education":[{"school":"University of Porto","degree":"Master of Science"}]}
{"id":"c-2","first_name":"Bartholomew","last_name":"Nightingale"}
{"id":"c-3","first_name":"Zebulon","last_name":"Featherstone","email":"zebulon at example.com"}
`

// personal is personal data that must not be printed about refused rows.
var personal = []string{"Bartholomew", "Nightingale", "Zebulon", "Featherstone", "zebulon", testPassword}
