package deploy

import (
	"io"
	"maps"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/store"
)

// redisPassword is the password that the service redis-acl made.
func redisPassword(t *testing.T, s *stack) string {
	t.Helper()
	return strings.TrimSpace(string(read(t, s.first("redis-acl").here("/keys/redis-password"))))
}

// redisAs logs in to the Redis of the stack; without a user it does not log in.
func redisAs(t *testing.T, s *stack, user, password string) *redis.Client {
	t.Helper()
	client := redis.NewClient(&redis.Options{
		Addr: s.first("redis").at("6379"), Username: user, Password: password, DisableIdentity: true, Protocol: 2, MaxRetries: -1,
	})
	t.Cleanup(func() { _ = client.Close() })
	return client
}

// checkRedis shows what each user of the running Redis can and cannot do.
func checkRedis(t *testing.T, s *stack) {
	t.Helper()
	password := redisPassword(t, s)
	const key = "ix:made-up"
	for _, user := range []struct {
		name, password string
		allowed        [][]any
		refusal        string
		refused        [][]any
	}{
		{refusal: "NOAUTH", refused: [][]any{{"ping"}, {"get", key}, {"set", key, "1"}, {"keys", "*"}, {"info"}, {"config", "get", "dir"}, {"acl", "list"}, {"subscribe", "{ix:lanes}:announced"}}},
		{name: "default", password: "any", refusal: "WRONGPASS", refused: [][]any{{"ping"}, {"get", key}}},
		{name: store.RedisUser, password: "any", refusal: "WRONGPASS", refused: [][]any{{"ping"}, {"get", key}}},
		{
			name: "health", password: "any", allowed: [][]any{{"ping"}},
			refusal: "NOPERM", refused: [][]any{{"get", key}, {"set", key, "1"}, {"scan", "0"}, {"keys", "*"}, {"info"}, {"config", "get", "dir"}, {"acl", "list"}, {"eval", "return 1", "0"}, {"publish", "{ix:lanes}:announced", "1"}, {"subscribe", "{ix:lanes}:announced"}},
		},
		{
			name: store.RedisUser, password: password, allowed: [][]any{{"ping"}, {"set", key, "1"}, {"get", key}, {"del", key}, {"scan", "0"}, {"info"}},
			refusal: "NOPERM", refused: [][]any{{"get", "other"}, {"keys", "*"}, {"flushall"}, {"flushdb"}, {"config", "get", "dir"}, {"config", "set", "dir", "/"}, {"acl", "list"}, {"shutdown"}, {"replicaof", "no", "one"}, {"module", "list"}},
		},
	} {
		client := redisAs(t, s, user.name, user.password)
		for _, command := range user.allowed {
			if err := client.Do(t.Context(), command...).Err(); err != nil {
				t.Errorf("%q is refused %q: %v", user.name, command, err)
			}
		}
		for _, command := range user.refused {
			if err := client.Do(t.Context(), command...).Err(); err == nil || !strings.HasPrefix(err.Error(), user.refusal) {
				t.Errorf("%q gives the command %q and gets %v, want %s", user.name, command, err, user.refusal)
			}
		}
	}
	if strings.Contains(string(read(t, s.first("redis-acl").here("/acl/users.acl"))), password) {
		t.Error("the ACL file holds the password")
	}
	for _, i := range s.started {
		if strings.Contains(i.log(), password) {
			t.Errorf("%s logs the password", i.name)
		}
	}
}

// checkMonitoring opens asynq's web UI, which goes to Redis as the service does.
func checkMonitoring(t *testing.T, ask asker, customer string) {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{Transport: ask.http.Transport, Jar: jar}
	do := func(method, path, body string) string {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, ask.root+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
		answer, err := browser.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		said, err := io.ReadAll(answer.Body)
		if err != nil || answer.StatusCode != http.StatusOK {
			t.Errorf("%s %s: %s %v\n%s", method, path, answer.Status, err, said)
		}
		return string(said)
	}
	do(http.MethodPost, "/login", url.Values{"key": {ask.key}}.Encode())
	queue := "icims:" + customer + ":express"
	for path, want := range map[string]string{
		"": "<html", "/api/queues": `"` + queue + `"`, "/api/queues/" + queue: `"` + queue + `"`, "/api/queues/" + queue + "/completed_tasks": `"tasks"`,
		"/api/servers": `"servers":[{`,
	} {
		if said := do(http.MethodGet, "/monitoring"+path, ""); !strings.Contains(said, want) {
			t.Errorf("/monitoring%s lacks %s: %s", path, want, said)
		}
	}
}

// newRedisStack is the stack's Redis, and what makes its password and users.
func newRedisStack(t *testing.T) *stack {
	t.Helper()
	file := compose(t, nil)
	maps.DeleteFunc(file.Services, func(name string, _ service) bool { return !slices.Contains([]string{"redis", "redis-acl"}, name) })
	return newStack(t, file)
}

// A Redis that an earlier version started without a password has one after the next
// start, and all of its data.
func TestComposeGivesAnExistingRedisAPassword(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	t.Parallel()
	s := newRedisStack(t)

	before := s.file.Services["redis"]
	before.Command = slices.DeleteFunc(slices.Clone(before.Command), func(word string) bool { return word == "--aclfile" || word == "/acl/users.acl" })
	before.Healthcheck.Test = []string{"CMD", "redis-cli", "-e", "-p", "6379", "ping"}
	i := s.newInstance("earlier", before)
	s.copies["redis"] = []*instance{i}
	i.start()
	i.await("service_healthy")
	if err := redisAs(t, s, "", "").Set(t.Context(), "ix:earlier", "kept", 0).Err(); err != nil {
		t.Fatal(err)
	}
	if err := i.process.Stop(time.Minute); err != nil {
		t.Fatal(err)
	}
	s.copies, s.started = map[string][]*instance{}, nil

	s.up(nil)
	if got, err := redisAs(t, s, store.RedisUser, redisPassword(t, s)).Get(t.Context(), "ix:earlier").Result(); got != "kept" {
		t.Errorf("the value is %q, %v", got, err)
	}
	checkRedis(t, s)
	s.down()
}

// redis-cli opens Redis to an administrator whom README.md adds to the file of users.
func TestRedisAdministratorOfTheREADME(t *testing.T) {
	if testing.Short() {
		t.Skip("starts processes")
	}
	t.Parallel()
	s := newRedisStack(t)
	acl := s.newInstance("redis-acl", s.file.Services["redis-acl"])
	s.run("redis-acl", acl.service.Command...)
	var added string
	for line := range strings.Lines(string(read(t, "README.md"))) {
		if strings.Contains(line, ">> users.acl") {
			added = strings.TrimSpace(line)
		}
	}
	if added == "" {
		t.Fatal("README.md adds no user to users.acl")
	}
	shell := exec.CommandContext(t.Context(), "sh", "-c", "cd \"$(dirname \"$0\")\" && "+added, acl.here("/acl/users.acl"))
	if out, err := shell.CombinedOutput(); err != nil {
		t.Fatalf("%s: %v %s", added, err, out)
	}
	s.up(nil) // which leaves the added user alone
	for command, want := range map[string]string{"ACL WHOAMI": "admin", "DBSIZE": "0"} {
		cli := s.first("redis").command(t.Context(), slices.Concat([]string{"redis-cli", "-p", "6379", "--no-auth-warning", "--user", "admin", "--pass", "CHANGE-THIS-PASSWORD"}, strings.Fields(command))...)
		out, err := cli.CombinedOutput()
		if err != nil || strings.TrimSpace(string(out)) != want {
			t.Errorf("%s: %v %s", command, err, out)
		}
	}
	s.down()
}
