package worker_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/internal/testrig"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
	"github.com/seekout/icims-export/tasks/input"
	"github.com/seekout/icims-export/worker"
)

// thrown is the panic value. It must not appear anywhere.
const thrown = "ana.duarte@example.com was thrown"

// panicking is a transport that panics at given calls.
type panicking struct {
	next    http.RoundTripper
	panics  func(*http.Request) bool
	after   bool // after the response
	counted atomic.Int64
}

func (p *panicking) RoundTrip(req *http.Request) (*http.Response, error) {
	if !p.panics(req) {
		return p.next.RoundTrip(req)
	}
	p.counted.Add(1)
	if p.after {
		answer, err := p.next.RoundTrip(req)
		if err == nil {
			answer.Body.Close()
		}
	}
	panic(thrown)
}

// panickingLog panics at the first log line of recording an outcome.
type panickingLog struct{ *testrig.Log }

func (l panickingLog) Write(line []byte) (int, error) {
	if strings.Contains(string(line), `"export handled"`) {
		panic(thrown)
	}
	return l.Log.Write(line)
}

func creates(req *http.Request) bool {
	return req.Method == http.MethodPost && strings.HasSuffix(req.URL.Path, "/people")
}

func newPanickingRig(t *testing.T, p *panicking) *rig {
	t.Helper()
	r := newRig(t, rigOptions{sim: calm(), settings: shortWaits, stopped: true})
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	p.next = transport
	r.worker.UseClientOptions(icims.WithBaseTransport(p))
	r.start()
	return r
}

func TestPanicsOfAnExport(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		panics func(*http.Request) bool
	}{
		{name: "before a write is sent", panics: creates},
		{name: "in a look-up", panics: func(req *http.Request) bool { return strings.Contains(req.URL.Path, "/search/") }},
		{name: "in every call", panics: func(*http.Request) bool { return true }},
	} {
		t.Run(c.name+" make it a dead letter after three attempts", func(t *testing.T) {
			t.Parallel()
			p := &panicking{panics: c.panics}
			r := newPanickingRig(t, p)
			id := r.send(input.Prospects, input.Options{}, ana())
			var letters []store.Outcome
			r.eventually("the export is dead", func() bool { letters = r.outcomes(id); return len(letters) == 1 && letters[0].State == store.Dead })
			if letters[0].Reason != store.ReasonPanicked {
				t.Errorf("the reason is %s", letters[0].Reason)
			}
			if n := p.counted.Load(); n != 3 {
				t.Errorf("it panicked %d times, want 3", n)
			}
			if n := r.logs.Count("recovered a panic"); n != 3 {
				t.Errorf("%d panics are logged, want 3", n)
			}
			if !strings.Contains(r.logs.String(), "panic_test.go:") {
				t.Error("the log lacks the panic's location")
			}
			for _, word := range []string{thrown, "Duarte"} {
				if strings.Contains(r.logs.String(), word) {
					t.Errorf("%q is in the log", word)
				}
				if keys := redistest.Dump(t, r.redis).Holding(word); len(keys) > 0 {
					t.Errorf("%q is in Redis, under %v", word, keys)
				}
			}
			if inv := r.sim.Invariants(); inv.People != 0 {
				t.Errorf("iCIMS has %d people", inv.People)
			}
		})
	}

	t.Run("after a write's response, the write is adopted and not repeated", func(t *testing.T) {
		t.Parallel()
		p := &panicking{after: true}
		p.panics = func(req *http.Request) bool { return creates(req) && p.counted.Load() == 0 }
		r := newPanickingRig(t, p)
		b := r.run(input.ToJob(job), input.Options{}, ana())
		if inv := r.sim.Invariants(); b.Created != 1 || inv.People != 1 || inv.Workflows != 1 {
			t.Errorf("batch %+v, %d people, %d workflows", b, inv.People, inv.Workflows)
		}
		r.clean()
	})

	t.Run("in look-ups after a lost write, a retry adopts the write", func(t *testing.T) {
		t.Parallel()
		written, broken := atomic.Bool{}, atomic.Bool{}
		broken.Store(true)
		p := &panicking{after: true}
		p.panics = func(req *http.Request) bool {
			if creates(req) {
				written.Store(true)
			}
			return written.Load() && broken.Load()
		}
		r := newPanickingRig(t, p)
		id := r.send(input.Prospects, input.Options{}, ana())
		r.eventually("the export is dead", func() bool { o := r.outcomes(id); return len(o) == 1 && o[0].State == store.Dead })
		if n := p.counted.Load(); n != 3 {
			t.Errorf("it panicked %d times, want 3", n)
		}
		broken.Store(false)
		service := admin.New(admin.Config{Redis: r.redis, Ledger: r.ledger})
		if done, err := service.DeadLetters.Retry(t.Context(), admin.DeadChoice{Customers: []string{customer}}, admin.DeadOrder{Who: "an operator", Why: "the fix runs"}); err != nil || done.Done != 1 {
			t.Fatalf("retried: %+v, %v", done, err)
		}
		if b, inv := r.finished(id), r.sim.Invariants(); b.Created != 1 || inv.People != 1 {
			t.Errorf("batch %+v, %d people", b, inv.People)
		}
		r.clean()
	})

	t.Run("while recording, the export becomes dead and nothing is written twice", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{sim: calm(), stopped: true})
		hosts, err := icims.ParseHostPolicy(r.server.URL)
		r.must(err)
		settings := worker.DefaultSettings()
		shortWaits(&settings)
		settings.RetryMin, settings.RetryMax = 10*time.Millisecond, 50*time.Millisecond
		r.worker = worker.New(r.redis, r.ledger, settings, hosts, zerolog.New(panickingLog{r.logs}))
		r.worker.SetConnections([]store.Connection{r.conn})
		r.start()
		id := r.send(input.Prospects, input.Options{}, ana())
		r.eventually("the export is dead", func() bool { o := r.outcomes(id); return len(o) == 1 && o[0].State == store.Dead })
		if o := r.outcomes(id)[0]; o.Reason != store.ReasonPanicked || o.Person == 0 {
			t.Errorf("outcome %+v", o)
		}
		if n := r.logs.Count("recovered a panic"); n != 3 {
			t.Errorf("%d panics are logged, want 3", n)
		}
		if keys := redistest.Dump(t, r.redis).Holding(thrown); len(keys) > 0 || strings.Contains(r.logs.String(), thrown) {
			t.Errorf("the panic value is in Redis under %v", keys)
		}
		r.clean()
	})

	t.Run("do not affect other exports or calls in flight", func(t *testing.T) {
		t.Parallel()
		p := &panicking{}
		p.panics = func(req *http.Request) bool { return creates(req) && p.counted.Load() < 40 }
		r := newPanickingRig(t, p)
		b := r.finished(r.send(input.Prospects, input.Options{}, people(60)...))
		if b.Created+b.Dead != 60 || b.Created == 0 {
			t.Errorf("batch %+v", b)
		}
		later := r.run(input.ToJob(job), input.Options{}, ana())
		if later.Created != 1 {
			t.Errorf("a later batch: %+v", later)
		}
	})

	t.Run("a dead letter of panics is exported by a later retry", func(t *testing.T) {
		t.Parallel()
		broken := atomic.Bool{}
		broken.Store(true)
		r := newPanickingRig(t, &panicking{panics: func(*http.Request) bool { return broken.Load() }})
		id := r.send(input.Prospects, input.Options{}, ana())
		r.eventually("the export is dead", func() bool { o := r.outcomes(id); return len(o) == 1 && o[0].State == store.Dead })
		broken.Store(false)
		service := admin.New(admin.Config{Redis: r.redis, Ledger: r.ledger})
		if done, err := service.DeadLetters.Retry(t.Context(), admin.DeadChoice{Customers: []string{customer}}, admin.DeadOrder{Who: "an operator", Why: "the fix runs"}); err != nil || done.Done != 1 {
			t.Fatalf("retried: %+v, %v", done, err)
		}
		if b := r.finished(id); b.Created != 1 {
			t.Errorf("batch %+v", b)
		}
	})
}

// A panicking goroutine would end the process and all exports in progress.
func TestGoroutinesRecoverPanics(t *testing.T) {
	t.Parallel()
	spawned := 0
	eachNode(t, ".", func(at token.Position, _ string, n ast.Node) {
		starts := false
		switch n := n.(type) {
		case *ast.GoStmt:
			starts = true
		case *ast.CallExpr:
			if s, ok := n.Fun.(*ast.SelectorExpr); ok {
				pkg, _ := s.X.(*ast.Ident)
				starts = s.Sel.Name == "Go" || s.Sel.Name == "AfterFunc" && pkg != nil && pkg.Name == "time"
			} else if id, ok := n.Fun.(*ast.Ident); ok && strings.HasPrefix(id.Name, "spawn") {
				spawned++
			}
		}
		if starts && filepath.Base(at.Filename) != "panic.go" {
			t.Errorf("%s starts a goroutine without spawn", at)
		}
	})
	if spawned < 10 {
		t.Errorf("only %d goroutines were found", spawned)
	}
	contained := 0
	for _, dir := range []string{"store", "jobs", "verify", "readback", "connections", "icims", "admin", "metrics", "traces"} {
		contained += containedGoroutines(t, "../"+dir)
	}
	if contained < 4 {
		t.Errorf("only %d goroutines of other packages were found", contained)
	}
}

// containedGoroutines reports goroutines of a package without panics.Contain, and counts the
// others.
func containedGoroutines(t *testing.T, dir string) (contained int) {
	t.Helper()
	eachNode(t, dir, func(at token.Position, text string, n ast.Node) {
		switch n := n.(type) {
		case *ast.GoStmt:
		case *ast.CallExpr:
			if s, ok := n.Fun.(*ast.SelectorExpr); !ok || s.Sel.Name != "Go" {
				return
			}
		default:
			return
		}
		// An HTTP server recovers panics of its handlers.
		if strings.Contains(text, "panics.Contain(") || strings.Contains(text, "server.Serve(") {
			contained++
		} else {
			t.Errorf("%s starts a goroutine that does not recover panics", at)
		}
	})
	return contained
}

// eachNode visits the nodes of a package's files, without its tests.
func eachNode(t *testing.T, dir string, visit func(at token.Position, text string, n ast.Node)) {
	t.Helper()
	names, err := filepath.Glob(dir + "/*.go")
	if err != nil || len(names) == 0 {
		t.Fatalf("%s: %d files, %v", dir, len(names), err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		source, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		set := token.NewFileSet()
		f, err := parser.ParseFile(set, name, source, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(f, func(n ast.Node) bool {
			if n != nil {
				at := set.Position(n.Pos())
				visit(at, string(source[at.Offset:set.Position(n.End()).Offset]), n)
			}
			return true
		})
	}
}
