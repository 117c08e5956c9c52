package config_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/config"
	"github.com/seekout/icims-export/store/redistest"
)

// passwordFile creates a file for ICIMS_EXPORT_REDIS_PASSWORD_FILE.
func passwordFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "redis-password")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestRedisPasswordIsReadFromAFile(t *testing.T) {
	const password = "hunter2/of the@user"
	t.Run("a server accepts it", func(t *testing.T) {
		server := redistest.Start(t, redistest.Config("user", `exporter on ">`+password+`" ~* &* +@all`))
		client, err := config.Settings{
			RedisURL: config.RedisURL("redis://exporter@" + server.Addr() + "/0"), RedisPasswordFile: passwordFile(t, " "+password+" \r\n"),
		}.RedisClient()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = client.Close() })
		if user, err := client.Do(t.Context(), "acl", "whoami").Text(); err != nil || user != "exporter" {
			t.Errorf("the user is %q, %v", user, err)
		}
	})
	for _, url := range []string{
		"redis://u@h/0", "rediss://u@h/0", "unix://u@/run/redis.sock", "redis://h/0",
		"redis+sentinel://u@h/main?sentinel_password=other", "redis+cluster://u@h1,h2",
	} {
		t.Run(url, func(t *testing.T) {
			s := config.Settings{RedisURL: config.RedisURL(url), RedisPasswordFile: passwordFile(t, password)}
			client, err := s.RedisClient()
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = client.Close() })
			user, got := "", ""
			switch c := client.(type) {
			case *redis.Client:
				user, got = c.Options().Username, c.Options().Password
			case *redis.ClusterClient:
				user, got = c.Options().Username, c.Options().Password
			}
			if got != password || (user != "u") != (url == "redis://h/0") {
				t.Errorf("the client logs in as %q with %q", user, got)
			}
		})
	}
}

func TestWrongRedisPasswordFileIsRefused(t *testing.T) {
	const password = "hunter2"
	for name, test := range map[string]struct{ url, file, want string }{
		"no such file":  {"redis://u@h/0", password, "cannot be read (no such file or directory)"},
		"empty":         {"redis://u@h/0", passwordFile(t, " \n"), "names an empty file"},
		"several lines": {"redis://u@h/0", passwordFile(t, password+"\n"+password), "keep only the password"},
		"with a password in the URL": {
			"redis+cluster://u:" + password + "@h", passwordFile(t, password), "ICIMS_EXPORT_REDIS_URL has a password as well",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := config.Settings{RedisURL: config.RedisURL(test.url), RedisPasswordFile: test.file}.RedisClient()
			problem, ok := errors.AsType[*config.Problem](err)
			if !ok || problem.Setting != "ICIMS_EXPORT_REDIS_PASSWORD_FILE" || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), password) {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("an embedded Redis ignores it", func(t *testing.T) {
		_, err := config.Settings{RedisURL: config.Embedded, RedisPasswordFile: "none"}.RedisClient()
		if !errors.Is(err, config.ErrEmbedded) {
			t.Errorf("got %v", err)
		}
	})
}
