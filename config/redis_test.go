package config_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/config"
	"github.com/seekout/icims-export/store/redistest"
)

func TestRedisURLForms(t *testing.T) {
	type target struct {
		Kind, Addrs, User, Password, Master, SentinelUser, SentinelPassword string
		DB                                                                  int
		TLS                                                                 bool
	}
	tests := map[string]target{
		"redis://127.0.0.1:6379/3":              {Kind: "single", Addrs: "127.0.0.1:6379", DB: 3},
		"redis://127.0.0.1":                     {Kind: "single", Addrs: "127.0.0.1:6379"},
		"redis://u:p%2Fw@cache:6380/0":          {Kind: "single", Addrs: "cache:6380", User: "u", Password: "p/w"},
		"redis://:pw@[::1]:6380/0":              {Kind: "single", Addrs: "[::1]:6380", Password: "pw"},
		"rediss://cache:6380/0":                 {Kind: "single", Addrs: "cache:6380", TLS: true},
		"unix:///run/redis.sock?db=4":           {Kind: "single", Addrs: "/run/redis.sock", DB: 4},
		"redis+cluster://h1:7000,h2:7001":       {Kind: "cluster", Addrs: "h1:7000 h2:7001"},
		"redis+cluster://u:p%40w@h1,[::1]:7001": {Kind: "cluster", Addrs: "h1:6379 [::1]:7001", User: "u", Password: "p@w"},
		"rediss+cluster://h1:7000/0":            {Kind: "cluster", Addrs: "h1:7000", TLS: true},
		"redis+sentinel://h1:1,h2/main?db=2":    {Kind: "sentinel", Addrs: "h1:1 h2:26379", Master: "main", DB: 2},
		"rediss+sentinel://u:pw@h1:1/main?sentinel_username=su&sentinel_password=sp": {
			Kind: "sentinel", Addrs: "h1:1", Master: "main", User: "u", Password: "pw", SentinelUser: "su", SentinelPassword: "sp", TLS: true,
		},
	}
	for url, want := range tests {
		t.Run(url, func(t *testing.T) {
			single, sentinel, cluster, err := config.ParseRedisURL(url)
			if err != nil {
				t.Fatal(err)
			}
			var got target
			var timeouts [3]time.Duration
			var dials int
			switch {
			case sentinel != nil:
				got = target{"sentinel", strings.Join(sentinel.SentinelAddrs, " "), sentinel.Username, sentinel.Password, sentinel.MasterName, sentinel.SentinelUsername, sentinel.SentinelPassword, sentinel.DB, sentinel.TLSConfig != nil}
				timeouts, dials = [3]time.Duration{sentinel.DialTimeout, sentinel.ReadTimeout, sentinel.WriteTimeout}, sentinel.DialerRetries
			case cluster != nil:
				got = target{Kind: "cluster", Addrs: strings.Join(cluster.Addrs, " "), User: cluster.Username, Password: cluster.Password, TLS: cluster.TLSConfig != nil}
				timeouts, dials = [3]time.Duration{cluster.DialTimeout, cluster.ReadTimeout, cluster.WriteTimeout}, cluster.DialerRetries
			default:
				got = target{Kind: "single", Addrs: single.Addr, User: single.Username, Password: single.Password, DB: single.DB, TLS: single.TLSConfig != nil}
				timeouts, dials = [3]time.Duration{single.DialTimeout, single.ReadTimeout, single.WriteTimeout}, single.DialerRetries
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			for _, limit := range timeouts {
				if limit <= 0 || limit > 10*time.Second {
					t.Errorf("time-outs %v", timeouts)
				}
			}
			if dials < 1 || dials > 2 {
				t.Errorf("a Redis that is down is dialed %d times in each attempt at a command", dials)
			}
		})
	}
	t.Run("an option of the URL wins over our time-outs", func(t *testing.T) {
		single, _, _, err := config.ParseRedisURL("redis://127.0.0.1/0?read_timeout=9s")
		if err != nil || single.ReadTimeout != 9*time.Second {
			t.Errorf("got %v, %v", single, err)
		}
	})
}

func TestRedisURLShowsNoPassword(t *testing.T) {
	const password = "hunter2"
	for _, url := range []string{
		"redis://u:hunter2@127.0.0.1:6379/0",
		"redis://u:hunter2@127.0.0.1:port/0",
		"redis://u:hunter2@127.0.0.1:6379/x",
		"redis://u:hunter2@127.0.0.1:6379/0?hunter2=1",
		"redis://u:12/hunter2@127.0.0.1/0",
		"redis://u:12?hunter2@127.0.0.1/0",
		"redis://u:12#hunter2@127.0.0.1/0",
		"redis://u:%zzhunter2@127.0.0.1/0",
		"redis://u:hunter2@h1,h2/0",
		"hunter2://u@127.0.0.1/0",
		"redis+sentinel://u:hunter2@h1/",
		"redis+sentinel://u:hunter2@h1/main?sentinel_password=hunter2&x=1",
		"redis+cluster://u:1/hunter2@h1:1",
		"redis+cluster://u:hunter2@h1:1?hunter2",
		"hunter2",
	} {
		t.Run(url, func(t *testing.T) {
			s := config.Settings{RedisURL: config.RedisURL(url)}
			_, clientErr := s.RedisClient()
			encoded, err := json.Marshal(s)
			if err != nil {
				t.Fatal(err)
			}
			for _, text := range []string{fmt.Sprint(s.Validate()), fmt.Sprint(clientErr), fmt.Sprintf("%v %+v %#v %s", s, s, s, s.RedisURL), string(encoded)} {
				if strings.Contains(text, password) {
					t.Errorf("the password is in: %s", text)
				}
			}
		})
	}
}

func TestRedisClient(t *testing.T) {
	t.Run("the embedded Redis is not connected to", func(t *testing.T) {
		_, err := config.Settings{RedisURL: config.Embedded}.RedisClient()
		if !errors.Is(err, config.ErrEmbedded) {
			t.Errorf("got %v", err)
		}
	})
	answers := func(t *testing.T, url string) redis.UniversalClient {
		t.Helper()
		client, err := config.Settings{RedisURL: config.RedisURL(url)}.RedisClient()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = client.Close() })
		if err := client.Set(t.Context(), "k", "v", 0).Err(); err != nil {
			t.Fatal(err)
		}
		return client
	}
	t.Run("one server", func(t *testing.T) {
		answers(t, redistest.Start(t).URL())
	})
	t.Run("a cluster", func(t *testing.T) {
		client := answers(t, redistest.StartCluster(t, 3).URL())
		if _, ok := client.(*redis.ClusterClient); !ok {
			t.Errorf("got a %T", client)
		}
	})
}

func FuzzRedisURL(f *testing.F) {
	for _, seed := range []string{"redis://u:p@h:1/0", "redis+sentinel://h1,h2/m?db=1", "redis+cluster://[::1]:1", "unix:///s?db=1", "embedded", "://", "redis://@", "redis://[", "redis:// ?%"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		_, _, _, err := config.ParseRedisURL(text)
		if problem := (*config.Problem)(nil); err != nil && !errors.As(err, &problem) {
			t.Errorf("a %T is not a *Problem", err)
		}
		_ = config.RedisURL(text).String()
	})
}
