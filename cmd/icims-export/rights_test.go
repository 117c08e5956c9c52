package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
)

// aclServer starts a real Redis with an ACL file.
func aclServer(t *testing.T, lines string) *redistest.Server {
	t.Helper()
	file := filepath.Join(t.TempDir(), "users.acl")
	// The test itself connects as admin.
	if err := os.WriteFile(file, []byte("user default on nopass ~* &* +@all\n"+lines), 0o600); err != nil {
		t.Fatal(err)
	}
	return redistest.Start(t, redistest.Config("aclfile", `"`+file+`"`))
}

// Each user lacks one right: commands accept nothing, and name the missing right and the line that
// grants it.
func TestCommandsNameMissingRights(t *testing.T) {
	t.Parallel()
	server := aclServer(t, `user narrow on >narrow-pass ~asynq:* &asynq:* +@all -@dangerous
user nochan on >nochan-pass ~* resetchannels +@all -@dangerous
user noeval on >noeval-pass ~* &* +@all -@scripting
user ro on >ro-pass ~* &* +@read +@connection
`)
	for user, missing := range map[string]string{
		"narrow": "keys ix:*", "nochan": "channel {ix:lanes}:announced", "noeval": "the command EVAL", "ro": "the command EVAL",
	} {
		t.Run(user, func(t *testing.T) {
			b := newBench(t)
			input := b.file(t, "candidates.jsonl", candidates)
			url := fmt.Sprintf("redis://%s:%s-pass@%s/0", user, user, server.Addr())
			for _, args := range [][]string{
				{"export", input, "--customer", "1234", "--job", "1709"},
				{"worker"}, {"serve", "--api-listen=127.0.0.1:0"},
				{"pause", "1234", "--why", "a test"}, {"apikeys", "new", "--name", "a", "--scope", "read", "--all-customers"},
			} {
				r := call(t, b.at(url, args...)...)
				if r.status == statusDone {
					t.Errorf("%s went on: %s%s", args[0], r.out, r.errors)
				}
				for _, text := range []string{"user " + user + " lacks rights: ", missing, "ACL SETUSER " + user + " " + store.RedisRights} {
					if !strings.Contains(r.errors, text) {
						t.Errorf("%s lacks %q in\n%s", args[0], text, r.errors)
					}
				}
				r.wantNone(t, user+"-pass")
			}
		})
	}
	if n := server.Client(t).DBSize(t.Context()).Val(); n != 0 {
		t.Errorf("%d keys were written", n)
	}
}

// The service works as the user of deploy/redis/users.acl, and as one with all rights but the
// dangerous ones.
func TestServiceWithTheDocumentedRights(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts processes")
	}
	for name, rules := range map[string]string{"documented": store.RedisRights, "app": "~* &* +@all -@dangerous -@admin"} {
		t.Run(name, func(t *testing.T) {
			server := aclServer(t, "user "+name+" on >pass "+rules+"\n")
			admin := server.Client(t)
			b := newBench(t)
			url := fmt.Sprintf("redis://%s:pass@%s/0", name, server.Addr())
			w := startCommand(t, b.at(url, "worker")...)
			w.until(t, "worker started")
			input := b.file(t, "candidates.jsonl", `{"id":"c-1","first_name":"Ana","last_name":"Duarte","email":"ana@example.com"}`+"\n")
			dead := b.file(t, "dead.jsonl", `{"id":"c-2","first_name":"Ben","last_name":"Okoro","email":"ben@example.com"}`+"\n")
			do := func(status int, args ...string) {
				t.Helper()
				call(t, b.at(url, args...)...).wantStatus(t, status)
			}
			do(statusDone, "export", input, "--customer", "1234", "--job", "1709", "--wait")
			do(3, "export", dead, "--customer", "1234", "--job", "999999", "--wait")
			do(statusDone, "pause", "1234", "--why", "a test")
			do(statusDone, "export", input, "--customer", "1234", "--job", "1708")
			do(statusDone, "cancel", "--customer", "1234", "--why", "a test")
			do(statusDone, "resume", "1234", "--why", "a test")
			do(statusDone, "verify", "1234", "--no-test-candidate")
			do(statusDone, "jobs", "1234", "--refresh")
			do(statusDone, "dead", "list", "--customer", "1234")
			do(statusDone, "dead", "discard", "--customer", "1234", "--all", "--why", "a test")
			do(statusDone, "lanes")
			do(statusDone, "audit")
			do(statusDone, "erase", "1234", "c-1", "--why", "a test")
			do(statusDone, "apikeys", "new", "--name", "a", "--scope", "read", "--all-customers")
			do(statusDone, "journal")
			s := startCommand(t, b.at(url, "serve", "--api-listen=127.0.0.1:0")...)
			s.until(t, "API started")
			s.signal(t, syscall.SIGTERM)
			s.wantEnd(t)
			w.signal(t, syscall.SIGTERM)
			w.wantEnd(t)

			log, err := admin.ACLLog(t.Context(), 100).Result()
			if err != nil {
				t.Fatal(err)
			}
			for _, entry := range log {
				// Commands that only read Redis's settings.
				if !slices.Contains([]string{"config|get", "info", "config"}, entry.Object) {
					t.Errorf("the service was refused %s (%s)", entry.Object, entry.Reason)
				}
			}
			stats, err := admin.Info(t.Context(), "commandstats").Result()
			if err != nil {
				t.Fatal(err)
			}
			// Commands of other users, those open to all users, and read-only ones.
			known := append(store.NeededCommands(), "acl", "auth", "hello", "ping", "select", "client", "command", "info", "config", "memory", "unsubscribe", "dbsize", "type", "cluster")
			for _, match := range regexp.MustCompile(`cmdstat_(\w+)`).FindAllStringSubmatch(stats, -1) {
				if !slices.Contains(known, match[1]) {
					t.Errorf("the service runs %s, which the check of rights does not know", match[1])
				}
			}
		})
	}
}
