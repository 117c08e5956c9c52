package store_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
)

// users creates users on a server, each with ACL rules and the password "pass".
func users(t *testing.T, server *redistest.Server, rules map[string]string) {
	t.Helper()
	for name, text := range rules {
		args := []any{"acl", "setuser", name, "reset", "on", ">pass"}
		for rule := range strings.FieldsSeq(text) {
			args = append(args, rule)
		}
		if err := server.Client(t).Do(t.Context(), args...).Err(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
}

func as(t *testing.T, addr, name string) *redis.Client {
	t.Helper()
	client := redis.NewClient(&redis.Options{Addr: addr, Username: name, Password: "pass", ContextTimeoutEnabled: true})
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func ledgerOf(t *testing.T, client redis.UniversalClient) *store.Ledger {
	t.Helper()
	keys, err := store.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	return store.NewLedger(client, keys)
}

func TestMissingRightsAreNamed(t *testing.T) {
	server := redistest.Start(t)
	for name, c := range map[string]struct {
		rules string
		want  []string
	}{
		"granted":  {store.RedisRights, nil},
		"app":      {"~* &* +@all -@dangerous -@admin", nil},
		"noinfo":   {store.RedisRights + " -info -memory", nil},
		"narrow":   {"~asynq:* &asynq:* +@all -@dangerous", []string{"keys ix:*", "channel {ix:lanes}:announced", "channel {ix:connections}:changed"}},
		"nochan":   {"~* resetchannels +@all -@dangerous", []string{"channel {ix:lanes}:announced", "channel {ix:connections}:changed", "channel asynq:cancel"}},
		"noeval":   {"~* &* +@all -@scripting", []string{"the command EVAL"}},
		"noscript": {"~* &* +@all -evalsha", []string{"the commands EVALSHA"}},
		"ro":       {"~* &* +@read +@connection", []string{"the command EVAL"}},
		"nowrite":  {"~* &* +@all -hset -zadd", []string{"the commands HSET, ZADD"}},
		"readonly": {"%R~ix:* ~asynq:* &* +@all", []string{"the commands APPEND, DEL, EXPIRE, EXPIREAT"}},
		"noredis":  {"~other:* &* +@all", []string{"keys ix:*", "keys asynq:*"}},
		"mute":     {"~* &* +@all -publish", []string{"the commands PUBLISH"}},
	} {
		t.Run(name, func(t *testing.T) {
			users(t, server, map[string]string{name: c.rules})
			err := ledgerOf(t, as(t, server.Addr(), name)).Checks.CheckRights(t.Context())
			if c.want == nil {
				if err != nil {
					t.Fatal(err)
				}
				return
			}
			lacking, ok := errors.AsType[*store.RightsError](err)
			if !ok {
				t.Fatalf("got %v", err)
			}
			if name == "readonly" {
				if !strings.HasPrefix(strings.Join(lacking.Missing, "; "), c.want[0]) {
					t.Errorf("missing are %q", lacking.Missing)
				}
			} else if !slices.Equal(lacking.Missing, c.want) {
				t.Errorf("missing are %q, want %q", lacking.Missing, c.want)
			}
			// The printed line fixes it.
			args := []any{}
			for word := range strings.FieldsSeq(lacking.Grant()) {
				args = append(args, word)
			}
			if err := server.Client(t).Do(t.Context(), args...).Err(); err != nil {
				t.Fatal(err)
			}
			if err := ledgerOf(t, as(t, server.Addr(), name)).Checks.CheckRights(t.Context()); err != nil {
				t.Errorf("after %s: %v", lacking.Grant(), err)
			}
		})
	}
	if n := server.Client(t).DBSize(t.Context()).Val(); n != 0 {
		t.Errorf("the checks left %d keys", n)
	}
}

// A server that cannot check rights must not prevent a start.
func TestUncheckableRights(t *testing.T) {
	if err := ledgerOf(t, redistest.Miniredis(t)).Checks.CheckRights(t.Context()); err != nil {
		t.Error(err)
	}
	unreachable := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", MaxRetries: -1})
	t.Cleanup(func() { _ = unreachable.Close() })
	if err := ledgerOf(t, unreachable).Checks.CheckRights(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestRightsOnEachNodeOfACluster(t *testing.T) {
	cluster := redistest.StartCluster(t, 3)
	for _, addr := range cluster.Addrs() {
		node := redis.NewClient(&redis.Options{Addr: addr})
		t.Cleanup(func() { _ = node.Close() })
		rules := "~* &* +@all"
		if addr == cluster.Addrs()[1] {
			rules = "~* resetchannels +@all"
		}
		args := []any{"acl", "setuser", "app", "on", ">pass"}
		for rule := range strings.FieldsSeq(rules) {
			args = append(args, rule)
		}
		if err := node.Do(t.Context(), args...).Err(); err != nil {
			t.Fatal(err)
		}
	}
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: cluster.Addrs(), Username: "app", Password: "pass"})
	t.Cleanup(func() { _ = client.Close() })
	lacking, ok := errors.AsType[*store.RightsError](ledgerOf(t, client).Checks.CheckRights(t.Context()))
	if !ok || lacking.User != "app" || len(lacking.Missing) != 3 {
		t.Errorf("got %+v", lacking)
	}
}

// TestScriptsUseCheckedCommands reads the commands of our Lua scripts and of asynq's: the check at
// start must include each.
func TestScriptsUseCheckedCommands(t *testing.T) {
	folder, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/hibiken/asynq").Output()
	if err != nil {
		t.Fatal(err)
	}
	var files []string
	for _, pattern := range []string{"scripts/*.lua", filepath.Join(strings.TrimSpace(string(folder)), "internal/rdb/*.go")} {
		found, err := filepath.Glob(pattern)
		if err != nil || len(found) == 0 {
			t.Fatalf("%s: %q, %v", pattern, found, err)
		}
		files = append(files, found...)
	}
	called := regexp.MustCompile(`redis\.p?call\(\s*['"]([A-Za-z]+)`)
	checked := store.NeededCommands()
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range called.FindAllSubmatch(text, -1) {
			name := strings.ToLower(string(match[1]))
			if name != "memory" && !slices.Contains(checked, name) { // only the web UI shows sizes
				t.Errorf("%s calls %s, which the check of rights does not know", filepath.Base(file), name)
			}
		}
	}
}

// Messages to workers are hints: the work is done even if the user may not publish, or loses that
// right while the service runs.
func TestPublishThatIsRefusedBreaksNothing(t *testing.T) {
	server := redistest.Start(t)
	users(t, server, map[string]string{"mute": "~* resetchannels +@all"})
	var reported []error
	keys, err := store.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	ledger := store.NewLedger(as(t, server.Addr(), "mute"), keys, store.OnPublishError(func(err error) { reported = append(reported, err) }))
	ctx := t.Context()
	if err := ledger.Lanes.Announce(ctx, customer); err != nil {
		t.Errorf("announce: %v", err)
	}
	if listed, err := ledger.Lanes.Announced(ctx); err != nil || len(listed) != 1 {
		t.Errorf("announced are %v, %v", listed, err)
	}
	if err := ledger.Lanes.Pause(ctx, customer, store.Pause{By: "an operator", Why: "a test"}); err != nil {
		t.Errorf("pause: %v", err)
	}
	if p, err := ledger.Lanes.PauseOf(ctx, customer); err != nil || p == nil {
		t.Errorf("the pause is %v, %v", p, err)
	}
	if was, err := ledger.Lanes.Resume(ctx, customer, "an operator", "a test"); err != nil || !was {
		t.Errorf("resume: %v, %v", was, err)
	}
	if e, _, err := ledger.Control.Record(ctx, customer, store.ControlVerify, nil, "an operator"); err != nil || e.State != store.ControlWaiting {
		t.Errorf("control task: %+v, %v", e, err)
	}
	added, err := ledger.Connections.Add(ctx, store.Connection{Customer: customer, Username: "user", Password: "made-up"}, "an operator", "a test")
	if err != nil || added.Revision != 1 {
		t.Errorf("connection: %+v, %v", added, err)
	}
	if len(reported) != 1 || !strings.Contains(reported[0].Error(), "NOPERM") {
		t.Errorf("reported are %v", reported)
	}
}
