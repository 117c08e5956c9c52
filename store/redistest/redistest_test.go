package redistest_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"
	"go.uber.org/goleak"

	"github.com/seekout/icims-export/store/redistest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(redistest.Main(m)) }

func TestStart(t *testing.T) {
	t.Parallel()
	t.Run("answers at its address and its URL, evicts nothing and saves nothing", func(t *testing.T) {
		t.Parallel()
		srv := redistest.Start(t)
		opts, err := redis.ParseURL(srv.URL())
		must(t, err)
		if opts.Addr != srv.Addr() {
			t.Errorf("URL names %s, Addr %s", opts.Addr, srv.Addr())
		}
		config, err := srv.Client(t).ConfigGet(t.Context(), "*").Result()
		must(t, err)
		want := map[string]string{"maxmemory-policy": "noeviction", "save": "", "appendonly": "no", "bind": "127.0.0.1"}
		for name, value := range want {
			if config[name] != value {
				t.Errorf("%s is %q, want %q", name, config[name], value)
			}
		}
	})
	t.Run("options reach redis.conf", func(t *testing.T) {
		t.Parallel()
		srv := redistest.Start(t, redistest.Config("maxmemory", "9mb"))
		config, err := srv.Client(t).ConfigGet(t.Context(), "maxmemory").Result()
		must(t, err)
		if config["maxmemory"] != strconv.Itoa(9<<20) {
			t.Errorf("maxmemory is %q", config["maxmemory"])
		}
	})
	t.Run("data kept with AppendOnly outlive kill and restart", func(t *testing.T) {
		t.Parallel()
		srv := redistest.Start(t, redistest.AppendOnly("always"))
		client, addr := srv.Client(t), srv.Addr()
		must(t, client.Set(t.Context(), "k", "v", 0).Err())
		srv.Kill(t)
		if err := client.Ping(t.Context()).Err(); err == nil {
			t.Fatal("a killed server answered")
		}
		srv.Restart(t)
		if srv.Addr() != addr {
			t.Errorf("address changed from %s to %s", addr, srv.Addr())
		}
		got, err := client.Get(t.Context(), "k").Result()
		must(t, err)
		if got != "v" {
			t.Errorf("got %q", got)
		}
	})
	t.Run("without AppendOnly a restart forgets", func(t *testing.T) {
		t.Parallel()
		srv := redistest.Start(t)
		client := srv.Client(t)
		must(t, client.Set(t.Context(), "k", "v", 0).Err())
		srv.Restart(t)
		n, err := client.DBSize(t.Context()).Result()
		must(t, err)
		if n != 0 {
			t.Errorf("%d keys are still there", n)
		}
	})
}

func TestStartSaysWhatIsWrong(t *testing.T) {
	t.Run("a missing redis-server error says what to install", func(t *testing.T) {
		t.Setenv("PATH", t.TempDir())
		got := fatal(func(tb testing.TB) { redistest.Start(tb) })
		for _, part := range []string{"redis-server is not on the PATH", "apt-get install redis-server", "brew install redis"} {
			if !strings.Contains(got, part) {
				t.Errorf("message lacks %q: %s", part, got)
			}
		}
	})
	t.Run("a server that refuses its configuration is quoted", func(t *testing.T) {
		got := fatal(func(tb testing.TB) { redistest.Start(tb, redistest.Config("no-such-directive", "1")) })
		if !strings.Contains(got, "no-such-directive") {
			t.Errorf("message does not quote the log: %s", got)
		}
	})
	t.Run("a cluster needs a node", func(t *testing.T) {
		if got := fatal(func(tb testing.TB) { redistest.StartCluster(tb, 0) }); !strings.Contains(got, "0 nodes") {
			t.Errorf("message: %s", got)
		}
	})
}

func TestShared(t *testing.T) {
	t.Run("two tests have one server and two databases", func(t *testing.T) {
		a, b := redistest.Shared(t), redistest.Shared(t)
		if a.Addr() != b.Addr() || a.DB() == b.DB() {
			t.Errorf("got %s and %s", a.URL(), b.URL())
		}
		must(t, a.Client(t).Set(t.Context(), "k", "v", 0).Err())
		must(t, a.Client(t).Get(t.Context(), "k").Err())
		if n := b.Client(t).DBSize(t.Context()).Val(); n != 0 {
			t.Errorf("the other test sees %d keys", n)
		}
		if got := b.Dump(t); len(got) != 0 {
			t.Errorf("the other test dumps %v", got)
		}
	})
	t.Run("a database is empty when the next test gets it", func(t *testing.T) {
		var first int
		t.Run("first", func(t *testing.T) {
			srv := redistest.Shared(t)
			first = srv.DB()
			must(t, srv.Client(t).Set(t.Context(), "k", "v", 0).Err())
		})
		t.Run("second", func(t *testing.T) {
			srv := redistest.Shared(t)
			if srv.DB() != first {
				t.Fatalf("got database %d, want the returned one %d", srv.DB(), first)
			}
			if n := srv.Client(t).DBSize(t.Context()).Val(); n != 0 {
				t.Errorf("it holds %d keys", n)
			}
		})
	})
	t.Run("it cannot be killed by one of its users", func(t *testing.T) {
		srv := redistest.Shared(t)
		if got := fatal(func(tb testing.TB) { srv.Kill(tb) }); !strings.Contains(got, "shared") {
			t.Errorf("message: %s", got)
		}
		must(t, srv.Client(t).Ping(t.Context()).Err())
	})
}

func TestDump(t *testing.T) {
	t.Parallel()
	redistest.EachBackend(t, func(t *testing.T, c redis.UniversalClient) {
		ctx := t.Context()
		must(t, c.Set(ctx, "string", "value", 0).Err())
		must(t, c.RPush(ctx, "list", "a", "b").Err())
		must(t, c.SAdd(ctx, "set", "member").Err())
		must(t, c.HSet(ctx, "hash", "field", "Ana").Err())
		must(t, c.ZAdd(ctx, "zset", redis.Z{Score: 2, Member: "scored"}).Err())
		must(t, c.XAdd(ctx, &redis.XAddArgs{Stream: "stream", ID: "1-1", Values: []string{"field", "event"}}).Err())

		snapshot := redistest.Dump(t, c)
		got := map[string][]string{}
		for _, e := range snapshot {
			if e.Type != e.Key {
				t.Errorf("key %s has type %s", e.Key, e.Type)
			}
			got[e.Key] = e.Values
		}
		want := map[string][]string{
			"string": {"value"},
			"list":   {"a", "b"},
			"set":    {"member"},
			"hash":   {"field", "Ana"},
			"zset":   {"scored", "2"},
			"stream": {"1-1", "field", "event"},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("dump (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff([]string{"hash"}, snapshot.Holding("ana", "absent")); diff != "" {
			t.Errorf("keys holding the needle (-want +got):\n%s", diff)
		}
	})
}

func TestServerDumpReadsAllDatabases(t *testing.T) {
	t.Parallel()
	srv := redistest.Start(t)
	for _, db := range []int{0, 7} {
		other := redis.NewClient(&redis.Options{Addr: srv.Addr(), DB: db})
		must(t, other.Set(t.Context(), fmt.Sprint("key", db), "v", 0).Err())
		must(t, other.Close())
	}
	if diff := cmp.Diff([]string{"key0", "key7"}, srv.Dump(t).Holding("v")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestCluster(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, 3)
	client := cluster.Client(t)
	t.Run("keys of all slots can be written and are dumped", func(t *testing.T) {
		const keys = 100
		for i := range keys {
			must(t, client.Set(t.Context(), fmt.Sprintf("{%d}:k", i), "needle", 0).Err())
		}
		if got := redistest.Dump(t, client).Holding("needle"); len(got) != keys {
			t.Errorf("%d keys dumped, want %d", len(got), keys)
		}
	})
	t.Run("every node is a master with keys of its own", func(t *testing.T) {
		for _, addr := range cluster.Addrs() {
			node := redis.NewClient(&redis.Options{Addr: addr})
			n, err := node.DBSize(t.Context()).Result()
			must(t, err)
			must(t, node.Close())
			if n == 0 {
				t.Errorf("node %s has none", addr)
			}
		}
	})
}

// TestChildDiesWithParent runs this test binary again, kills it as the OOM killer would, and checks
// that its server ends.
func TestChildDiesWithParent(t *testing.T) {
	const pidFile = "REDISTEST_PID_FILE"
	if file := os.Getenv(pidFile); file != "" {
		info := redistest.Start(t).Client(t).InfoMap(t.Context(), "server").Item("Server", "process_id")
		must(t, os.WriteFile(file, []byte(info), 0o600))
		must(t, syscall.Kill(os.Getpid(), syscall.SIGKILL))
	}
	if !redistest.DiesWithParent {
		t.Skip("needs Linux's parent-death signal")
	}
	dir := t.TempDir() // also holds what the killed process leaves behind
	file := dir + "/pid"
	cmd := exec.Command(os.Args[0], "-test.run=^TestChildDiesWithParent$")
	cmd.Env = append(os.Environ(), pidFile+"="+file, "TMPDIR="+dir)
	if out, err := cmd.CombinedOutput(); err == nil {
		t.Fatalf("the child survived its SIGKILL:\n%s", out)
	}
	text, err := os.ReadFile(file)
	must(t, err)
	pid, err := strconv.Atoi(string(text))
	must(t, err)
	must(t, redistest.Poll(func(context.Context) error {
		if alive(pid) {
			return fmt.Errorf("redis-server %d is still there", pid)
		}
		return nil
	}))
}

// alive distinguishes a running process from a zombie.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	return err == nil && !strings.Contains(string(stat), ") Z ")
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// fatal runs f with a TB that records the message of Fatal.
func fatal(f func(testing.TB)) (message string) {
	tb := &recorder{}
	defer func() {
		for _, cleanup := range slices.Backward(tb.cleanups) {
			cleanup()
		}
		if r := recover(); r != nil && r != any(tb) {
			panic(r)
		}
		message = tb.message
	}()
	f(tb)
	return ""
}

type recorder struct {
	testing.TB
	message  string
	cleanups []func()
}

func (r *recorder) Helper()          {}
func (r *recorder) Cleanup(f func()) { r.cleanups = append(r.cleanups, f) }
func (r *recorder) Fatal(args ...any) {
	r.message = fmt.Sprint(args...)
	panic(r)
}
func (r *recorder) Fatalf(format string, args ...any) { r.Fatal(fmt.Sprintf(format, args...)) }

func TestEachBackendStartsEmpty(t *testing.T) {
	t.Parallel()
	script := redis.NewScript("return redis.call('SET', KEYS[1], 'x')")
	for range 3 {
		redistest.EachBackend(t, func(t *testing.T, client redis.UniversalClient) {
			if known, err := client.ScriptExists(t.Context(), script.Hash()).Result(); err != nil || slices.Contains(known, true) {
				t.Errorf("scripts of an earlier test are known: %v, %v", known, err)
			}
			for n := range 20 {
				key := strconv.Itoa(n)
				if found, err := client.Exists(t.Context(), key).Result(); err != nil || found > 0 {
					t.Errorf("key %s of an earlier test exists: %v", key, err)
				}
				must(t, script.Run(t.Context(), client, []string{key}).Err())
			}
		})
	}
}
