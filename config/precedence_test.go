package config_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/seekout/icims-export/config"
)

// TestMain clears the settings in the environment.
func TestMain(m *testing.M) {
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "ICIMS_EXPORT_") {
			os.Unsetenv(name)
		}
	}
	goleak.VerifyTestMain(m)
}

// grammar is shaped like the real command line: settings and subcommands.
type grammar struct {
	config.Settings `embed:""`

	Worker struct{} `cmd:""`
	Demo   struct {
		Candidates int `default:"200"`
	} `cmd:""`
}

func parse(t *testing.T, args ...string) (config.Settings, error) {
	t.Helper()
	var cli grammar
	options := append(config.Options(), kong.Writers(io.Discard, io.Discard), kong.Exit(func(int) { t.Error("the parser asked to exit") }))
	k, err := kong.New(&cli, options...)
	if err != nil {
		t.Fatal(err)
	}
	_, err = k.Parse(append(args, "worker"))
	return cli.Settings, err
}

func mustParse(t *testing.T, args ...string) config.Settings {
	t.Helper()
	s, err := parse(t, args...)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "settings.yml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestPrecedence(t *testing.T) {
	const (
		env  = "ICIMS_EXPORT_CALL_TIMEOUT"
		yaml = "call_timeout: 13s\n"
		flag = "--call-timeout=11s"
	)
	tests := map[string]struct {
		flag, env, file bool
		want            time.Duration
	}{
		"nothing set is the default":                    {want: 30 * time.Second},
		"the file wins over the default":                {file: true, want: 13 * time.Second},
		"the environment wins over the default":         {env: true, want: 12 * time.Second},
		"the environment wins over the file":            {env: true, file: true, want: 12 * time.Second},
		"a flag wins over the default":                  {flag: true, want: 11 * time.Second},
		"a flag wins over the file":                     {flag: true, file: true, want: 11 * time.Second},
		"a flag wins over the environment":              {flag: true, env: true, want: 11 * time.Second},
		"a flag wins over the environment and the file": {flag: true, env: true, file: true, want: 11 * time.Second},
	}
	for name, tt := range tests {
		for _, by := range []string{"flag", "environment"} {
			t.Run(name+", with the file named by "+by, func(t *testing.T) {
				var args []string
				if tt.flag {
					args = append(args, flag)
				}
				if tt.env {
					t.Setenv(env, "12s")
				}
				if tt.file && by == "flag" {
					args = append(args, "--config="+file(t, yaml))
				}
				if tt.file && by == "environment" {
					t.Setenv("ICIMS_EXPORT_CONFIG", file(t, yaml))
				}
				if got := mustParse(t, args...).CallTimeout; got != tt.want {
					t.Errorf("got %s, want %s", got, tt.want)
				}
			})
		}
	}
}

func TestDefaults(t *testing.T) {
	got := mustParse(t)
	want := config.Settings{
		RedisURL: "redis://127.0.0.1:6379/0", CallTimeout: 30 * time.Second, SettleTime: 90 * time.Second,
		LookupBatch: 50, LookupMemo: 5 * time.Minute, DummyEmailDomain: "seekout.example.com",
		RetryMin: 5 * time.Second, RetryMax: time.Hour, RetryBudget: 24 * time.Hour,
		CallsPerSecond: 5, Burst: 10, InFlight: 4, CallsPerDay: 10_000, ExpressReserve: 5, MaxCalls: 256,
		JobsMaxAge: 10 * time.Minute, JobsShare: 10, VerifyEvery: 168 * time.Hour,
		Lease: time.Minute, LaneConcurrency: 10, MaxLanes: 200, LaneIdle: 5 * time.Second,
		ShutdownTimeout: 45 * time.Second, EnqueueChunk: 500, MaxBatchRows: 1_000_000, MaxWaiting: 200_000, AcceptMemory: 85, ResultRetention: 720 * time.Hour, TaskRetention: 10 * time.Minute, AbandonedAfter: 24 * time.Hour,
		APIListen: "127.0.0.1:8080", Console: true, ConsoleIdle: time.Hour, APIRequestTimeout: time.Minute, APIStallTimeout: 30 * time.Second, APIMaxUpload: 1024,
		APIKeyRate: 50, APIKeyBurst: 100, APIMaxRequests: 1000, APIKeyUploads: 8, APIUploads: 32, JournalRetention: 9600 * time.Hour,
		TraceRatio: 1,
		LogLevel:   "info", LogFormat: "auto",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if err := got.Validate(); err != nil {
		t.Errorf("the defaults are refused: %v", err)
	}
}

func TestFileSetsEverySetting(t *testing.T) {
	got := mustParse(t, "--config="+file(t, `# every setting once
redis_url: redis://cache:6380/2
redis_password_file: redis-password
keyset: keys.json
connections: connections.yml
icims_hosts: ["http://127.0.0.1:8899", "https://sandbox.example.com"]
icims_private_addresses: [10.0.0.5, 172.16.0.0/12]
icims_proxy: http://proxy.example.com:3128
call_timeout: 1s
settle_time: 2m
lookup_batch: 7
lookup_memo: 0s
dummy_email_domain: dummy.example.com
calls_per_second: 2.5
burst: 3
in_flight: 2
calls_per_day: 500
express_reserve: 9
max_calls: 11
jobs_max_age: 12m
jobs_share: 13
verify_every: 45h
retry_min: 1s
retry_max: 2s
retry_budget: 3d
lease: 4s
lane_concurrency: 5
max_lanes: 6
lane_idle: 7s
shutdown_timeout: 8s
enqueue_chunk: 9
max_batch_rows: 14
max_waiting: 15
accept_memory: 16
result_retention: 10h
task_retention: 46s
abandoned_after: 11h
api_listen: :8443
api_tls_cert: cert.pem
api_tls_key: key.pem
api_trusted_proxies: [10.0.0.0/8, "::1"]
api_request_timeout: 36s
api_stall_timeout: 37s
api_max_upload: 38
api_key_rate: 3.9
api_key_burst: 40
api_max_requests: 41
api_key_uploads: 42
api_uploads: 43
console: false
console_idle: 44m
metrics_listen: :9464
metrics_customers: true
journal_retention: 42d
otlp_endpoint: https://collector.example.com
trace_ratio: 0.25
log_level: debug
log_format: json
`))
	path := got.Config
	want := config.Settings{
		Config: path, RedisURL: "redis://cache:6380/2", RedisPasswordFile: "redis-password", Keyset: "keys.json", Connections: "connections.yml",
		IcimsHosts:            []string{"http://127.0.0.1:8899", "https://sandbox.example.com"},
		IcimsPrivateAddresses: []string{"10.0.0.5", "172.16.0.0/12"}, IcimsProxy: "http://proxy.example.com:3128",
		CallTimeout: time.Second, SettleTime: 2 * time.Minute, LookupBatch: 7, DummyEmailDomain: "dummy.example.com",
		CallsPerSecond: 2.5, Burst: 3, InFlight: 2, CallsPerDay: 500, ExpressReserve: 9, MaxCalls: 11,
		JobsMaxAge: 12 * time.Minute, JobsShare: 13, VerifyEvery: 45 * time.Hour,
		RetryMin: time.Second, RetryMax: 2 * time.Second, RetryBudget: 72 * time.Hour,
		Lease: 4 * time.Second, LaneConcurrency: 5, MaxLanes: 6, LaneIdle: 7 * time.Second,
		ShutdownTimeout: 8 * time.Second, EnqueueChunk: 9, MaxBatchRows: 14, MaxWaiting: 15, AcceptMemory: 16, ResultRetention: 10 * time.Hour, TaskRetention: 46 * time.Second, AbandonedAfter: 11 * time.Hour,
		APIListen: ":8443", APITLSCert: "cert.pem", APITLSKey: "key.pem", APITrustedProxies: []string{"10.0.0.0/8", "::1"},
		APIRequestTimeout: 36 * time.Second, APIStallTimeout: 37 * time.Second, APIMaxUpload: 38,
		APIKeyRate: 3.9, APIKeyBurst: 40, APIMaxRequests: 41, APIKeyUploads: 42, APIUploads: 43, JournalRetention: 1008 * time.Hour,
		ConsoleIdle: 44 * time.Minute, MetricsListen: ":9464", MetricsCustomers: true,
		OTLPEndpoint: "https://collector.example.com", TraceRatio: 0.25,
		LogLevel: "debug", LogFormat: "json",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestHostsFromTheEnvironmentAreCommaSeparated(t *testing.T) {
	t.Setenv("ICIMS_EXPORT_ICIMS_HOSTS", "http://127.0.0.1:8899,https://sandbox.example.com")
	want := []string{"http://127.0.0.1:8899", "https://sandbox.example.com"}
	if diff := cmp.Diff(want, mustParse(t).IcimsHosts); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestEmptyHostsFromTheEnvironmentAreNone(t *testing.T) {
	t.Setenv("ICIMS_EXPORT_ICIMS_HOSTS", "")
	s := mustParse(t)
	if err := s.Validate(); err != nil {
		t.Errorf("refused: %v", err)
	}
	if len(s.IcimsHosts) != 0 {
		t.Errorf("got %q", s.IcimsHosts)
	}
}

func TestFileIsRefused(t *testing.T) {
	tests := map[string]struct{ yaml, want string }{
		"an unknown name is shown with its line and the nearest known one": {
			"log_level: info\ncall_timout: 3s\n", `:2: unknown setting "call_timout"; did you mean "call_timeout"?`,
		},
		"an unknown name without similar ones gets no suggestion": {"zzzzzz: 1\n", `:1: unknown setting "zzzzzz"`},
		"a file cannot name another file":                         {"config: other.yml\n", `:1: unknown setting "config"`},
		"a name given twice":                                      {"lease: 1m\nlease: 2m\n", "settings.yml:"},
		"a value of the wrong type is shown with its line": {
			"\n\nlease: soon\n", `:3: "soon" is not a duration: write it as a number with a unit, such as 30s, 5m, 24h or 30d`,
		},
		"a duration without a unit":    {"lease: 30\n", `:1: "30" is not a duration`},
		"not a number":                 {"lookup_batch: many\n", ":1: "},
		"a name without a value":       {"lease:\n", ":1: lease has no value: give one or remove the line"},
		"a mapping instead of a value": {"lease: {a: 1}\n", ":1: lease must be a plain value"},
		"a list at the top":            {"- a\n", ":1: must be a mapping"},
		"broken YAML":                  {"lease: \"1m\nlog_level: [", "is not valid YAML"},
		"two documents":                {"lease: 1m\n---\nlease: 1m\n", "several YAML documents"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := parse(t, "--config="+file(t, tt.yaml))
			if err == nil {
				t.Fatal("accepted")
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got  %s\nwant %s", err, tt.want)
			}
			if fileErr := (*config.FileError)(nil); !errors.As(err, &fileErr) {
				t.Errorf("a %T is not a *FileError", err)
			}
		})
	}
	t.Run("all unknown names are shown at once", func(t *testing.T) {
		_, err := parse(t, "--config="+file(t, "lese: 1m\nlog_lvel: info\n"))
		if err == nil || !strings.Contains(err.Error(), `"lease"`) || !strings.Contains(err.Error(), `"log_level"`) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("a file that is not there is named", func(t *testing.T) {
		_, err := parse(t, "--config=/does/not/exist.yml")
		if err == nil || !strings.Contains(err.Error(), "/does/not/exist.yml: cannot be read: no such file or directory") {
			t.Errorf("got %v", err)
		}
	})
}

func TestFileMayBeEmpty(t *testing.T) {
	for name, text := range map[string]string{"no byte": "", "a comment": "# nothing yet\n", "a document mark": "---\n"} {
		t.Run(name, func(t *testing.T) {
			if got := mustParse(t, "--config="+file(t, text)).Lease; got != time.Minute {
				t.Errorf("lease is %s", got)
			}
		})
	}
}
