// Package config holds all settings of icims-export in one struct. It reads them from flags,
// environment and file, validates them together and generates their reference.
package config

import (
	"reflect"
	"time"

	"github.com/alecthomas/kong"

	"github.com/seekout/icims-export/store"
)

// Settings contains all settings. Precedence: flag, environment, the file named by Config, default.
type Settings struct {
	Config File `name:"config" env:"ICIMS_EXPORT_CONFIG" placeholder:"FILE" group:"files" help:"YAML file with any of these settings, with underscores in their names (call_timeout: 30s)."`

	RedisURL          RedisURL `name:"redis-url" env:"ICIMS_EXPORT_REDIS_URL" default:"redis://127.0.0.1:6379/0" placeholder:"URL" group:"files" help:"Redis that stores everything. \"embedded\" runs one inside the process, which keeps nothing after it ends."`
	RedisPasswordFile string   `name:"redis-password-file" env:"ICIMS_EXPORT_REDIS_PASSWORD_FILE" placeholder:"FILE" group:"files" help:"File that holds only the password of the Redis user. The URL names the user: redis://icims-export@redis:6379/0."`
	RedisCAFile       string   `name:"redis-ca-file" env:"ICIMS_EXPORT_REDIS_CA_FILE" placeholder:"FILE" group:"files" help:"PEM certificates of the authorities that sign Redis's certificate. Without it the system's authorities are trusted."`
	Keyset            string   `name:"keyset" env:"ICIMS_EXPORT_KEYSET" placeholder:"FILE" group:"files" help:"File with the keys that seal personal data and passwords in Redis (see: keys new)."`
	Connections       string   `name:"connections" env:"ICIMS_EXPORT_CONNECTIONS" placeholder:"FILE" group:"files" help:"YAML file with the customers' iCIMS connections. Read at start and on SIGHUP."`

	IcimsHosts            []string `name:"icims-hosts" env:"ICIMS_EXPORT_ICIMS_HOSTS" placeholder:"ORIGIN,..." group:"icims" help:"Additional API origins to allow, such as http://127.0.0.1:8899. Without it only iCIMS's own hosts are allowed, over HTTPS."`
	IcimsPrivateAddresses []string `name:"icims-private-addresses" env:"ICIMS_EXPORT_ICIMS_PRIVATE_ADDRESSES" placeholder:"ADDRESS,..." group:"icims" help:"Private addresses and networks (10.0.0.0/8) that the API may resolve to. Addresses listed as an origin, and localhost, are always allowed."`
	IcimsProxy            ProxyURL `name:"icims-proxy" env:"ICIMS_EXPORT_ICIMS_PROXY" placeholder:"URL" group:"icims" help:"HTTP proxy for calls to iCIMS, such as http://proxy.example.com:3128. HTTPS_PROXY is ignored."`
	EgressAddresses       []string `name:"egress-addresses" env:"ICIMS_EXPORT_EGRESS_ADDRESSES" placeholder:"ADDRESS,..." group:"icims" help:"Addresses from which the workers call iCIMS, such as those of a NAT gateway. iCIMS has to allow-list them for each customer. Remedies and the API show them."`

	CallTimeout      time.Duration `name:"call-timeout" env:"ICIMS_EXPORT_CALL_TIMEOUT" default:"30s" placeholder:"DURATION" group:"icims" help:"Longest time for one iCIMS call."`
	SettleTime       time.Duration `name:"settle-time" env:"ICIMS_EXPORT_SETTLE_TIME" default:"90s" placeholder:"DURATION" group:"icims" help:"Wait after a write without a response, before iCIMS is searched for the outcome. Longer than call_timeout."`
	LookupBatch      int           `name:"lookup-batch" env:"ICIMS_EXPORT_LOOKUP_BATCH" default:"50" placeholder:"N" group:"icims" help:"Email addresses per search call, 1 to 200."`
	LookupMemo       time.Duration `name:"lookup-memo" env:"ICIMS_EXPORT_LOOKUP_MEMO" default:"5m" placeholder:"DURATION" group:"icims" help:"Time for which look-up results are cached, at most 5m. 0s turns the cache off."`
	DummyEmailDomain string        `name:"dummy-email-domain" env:"ICIMS_EXPORT_DUMMY_EMAIL_DOMAIN" default:"seekout.example.com" placeholder:"DOMAIN" group:"icims" help:"Domain of the dummy email addresses for candidates without an email."`

	CallsPerSecond float64 `name:"calls-per-second" env:"ICIMS_EXPORT_CALLS_PER_SECOND" default:"5" placeholder:"N" group:"limits" help:"Calls per second for one customer, over all processes, 0.01 to 10000."`
	Burst          int     `name:"burst" env:"ICIMS_EXPORT_BURST" default:"10" placeholder:"N" group:"limits" help:"Calls above that rate that iCIMS accepts at once, 1 to 10000. Half of them are kept for calls that arrive late."`
	InFlight       int     `name:"in-flight" env:"ICIMS_EXPORT_IN_FLIGHT" default:"4" placeholder:"N" group:"limits" help:"Concurrent calls for one customer, over all processes, 1 to 1000."`
	CallsPerDay    int     `name:"calls-per-day" env:"ICIMS_EXPORT_CALLS_PER_DAY" default:"10000" placeholder:"N" group:"limits" help:"Calls per day for one customer, until iCIMS reports its own limit."`
	ExpressReserve int     `name:"express-reserve" env:"ICIMS_EXPORT_EXPRESS_RESERVE" default:"5" placeholder:"PERCENT" group:"limits" help:"Part of the day's calls that is reserved for small batches, 1 to 90 percent. It shrinks with each hour."`
	MaxCalls       int     `name:"max-calls" env:"ICIMS_EXPORT_MAX_CALLS" default:"256" placeholder:"N" group:"limits" help:"Concurrent calls of one process for all customers, 1 to 10000."`

	JobsMaxAge time.Duration `name:"jobs-max-age" env:"ICIMS_EXPORT_JOBS_MAX_AGE" default:"10m" placeholder:"DURATION" group:"jobs" help:"Age at which a requested job list is refreshed, 1m to 24h."`
	JobsShare  int           `name:"jobs-share" env:"ICIMS_EXPORT_JOBS_SHARE" default:"10" placeholder:"PERCENT" group:"jobs" help:"Part of a customer's daily calls for the job list and job titles, 1 to 90 percent. Further titles are read on later days."`

	VerifyEvery time.Duration `name:"verify-every" env:"ICIMS_EXPORT_VERIFY_EVERY" default:"168h" placeholder:"DURATION" group:"icims" help:"Time after which a verified connection is verified again, unless calls are short or the customer is paused. Takes about twenty calls. At least 24h, or 0 for never."`

	RetryMin    time.Duration `name:"retry-min" env:"ICIMS_EXPORT_RETRY_MIN" default:"5s" placeholder:"DURATION" group:"retry" help:"Shortest delay before a retry."`
	RetryMax    time.Duration `name:"retry-max" env:"ICIMS_EXPORT_RETRY_MAX" default:"1h" placeholder:"DURATION" group:"retry" help:"Longest delay before a retry."`
	RetryBudget time.Duration `name:"retry-budget" env:"ICIMS_EXPORT_RETRY_BUDGET" default:"24h" placeholder:"DURATION" group:"retry" help:"Time after which a failing export becomes a dead letter."`

	Lease           time.Duration `name:"lease" env:"ICIMS_EXPORT_LEASE" default:"60s" placeholder:"DURATION" group:"worker" help:"Time for which a worker owns an export that it claimed. Longer than call_timeout."`
	LaneConcurrency int           `name:"lane-concurrency" env:"ICIMS_EXPORT_LANE_CONCURRENCY" default:"10" placeholder:"N" group:"worker" help:"Concurrent exports of one customer in one process, 1 to 200."`
	MaxLanes        int           `name:"max-lanes" env:"ICIMS_EXPORT_MAX_LANES" default:"200" placeholder:"N" group:"worker" help:"Customers that one process serves at the same time, 1 to 2000."`
	LaneIdle        time.Duration `name:"lane-idle" env:"ICIMS_EXPORT_LANE_IDLE" default:"5s" placeholder:"DURATION" group:"worker" help:"Time without work after which a customer's lane is closed."`
	ShutdownTimeout time.Duration `name:"shutdown-timeout" env:"ICIMS_EXPORT_SHUTDOWN_TIMEOUT" default:"45s" placeholder:"DURATION" group:"worker" help:"Time that a stopping worker has to finish its exports. Longer than call_timeout."`
	EnqueueChunk    int           `name:"enqueue-chunk" env:"ICIMS_EXPORT_ENQUEUE_CHUNK" default:"500" placeholder:"N" group:"worker" help:"Candidates per Redis pipeline when a batch is enqueued, 1 to 10000."`
	MaxBatchRows    int           `name:"max-batch-rows" env:"ICIMS_EXPORT_MAX_BATCH_ROWS" default:"1000000" placeholder:"N" group:"worker" help:"Rows per batch, from the API or a file, 1 to 100000000. Each row takes up to 100 bytes in the submitting process and about 2 KB in Redis."`
	MaxWaiting      int           `name:"max-waiting" env:"ICIMS_EXPORT_MAX_WAITING" default:"200000" placeholder:"N" group:"worker" help:"Candidates that may wait for one customer, dead letters included, 1 to 100000000. Further candidates are refused. Each takes about 2 KB in Redis."`
	AcceptMemory    int           `name:"accept-memory" env:"ICIMS_EXPORT_ACCEPT_MEMORY" default:"85" placeholder:"PERCENT" group:"worker" help:"Part of Redis's maxmemory up to which candidates are accepted, 1 to 100 percent. The rest is for exports in progress and for operators."`
	ResultRetention time.Duration `name:"result-retention" env:"ICIMS_EXPORT_RESULT_RETENTION" default:"30d" placeholder:"DURATION" group:"worker" help:"Time for which results of a finished batch are kept, at least 1h. Success markers do not expire."`
	TaskRetention   time.Duration `name:"task-retention" env:"ICIMS_EXPORT_TASK_RETENTION" default:"10m" placeholder:"DURATION" group:"worker" help:"Time for which asynq's web UI shows a completed task, 1s to 24h, or 0 for not at all. Each task takes about 600 bytes in Redis."`
	AbandonedAfter  time.Duration `name:"abandoned-after" env:"ICIMS_EXPORT_ABANDONED_AFTER" default:"24h" placeholder:"DURATION" group:"worker" help:"Time without a new row after which an unfinished batch is closed, at least 1h. Sending it again with the same idempotency key still adds the rest."`

	APIListen         string        `name:"api-listen" env:"ICIMS_EXPORT_API_LISTEN" default:"127.0.0.1:8080" placeholder:"ADDRESS" group:"api" help:"Address that serve listens on."`
	Console           bool          `name:"console" env:"ICIMS_EXPORT_CONSOLE" default:"true" negatable:"" placeholder:"BOOL" group:"api" help:"Serve the console (web UI) at the API's address."`
	ConsoleIdle       time.Duration `name:"console-idle" env:"ICIMS_EXPORT_CONSOLE_IDLE" default:"1h" placeholder:"DURATION" group:"api" help:"Idle time after which a console session ends, 1m to 12h. Pages that refresh themselves or stream do not count as use. Every session ends after 12h."`
	APITLSCert        string        `name:"api-tls-cert" env:"ICIMS_EXPORT_API_TLS_CERT" placeholder:"FILE" group:"api" help:"Certificate chain (PEM). Read again on SIGHUP. Without it the API uses plain HTTP."`
	APITLSKey         string        `name:"api-tls-key" env:"ICIMS_EXPORT_API_TLS_KEY" placeholder:"FILE" group:"api" help:"Private key of the certificate (PEM)."`
	APITrustedProxies []string      `name:"api-trusted-proxies" env:"ICIMS_EXPORT_API_TRUSTED_PROXIES" placeholder:"NETWORK,..." group:"api" help:"Addresses or networks of proxies whose X-Forwarded-For is trusted, such as 10.0.0.0/8. Failed log-ins and requests without a log-in are counted per caller's address."`
	APIRequestTimeout time.Duration `name:"api-request-timeout" env:"ICIMS_EXPORT_API_REQUEST_TIMEOUT" default:"60s" placeholder:"DURATION" group:"api" help:"Longest time for a request, except uploads and streams. At least 35s, since requests may wait for 30s."`
	APIStallTimeout   time.Duration `name:"api-stall-timeout" env:"ICIMS_EXPORT_API_STALL_TIMEOUT" default:"30s" placeholder:"DURATION" group:"api" help:"Time after which an upload or stream without progress is cut off."`
	APIMaxUpload      int           `name:"api-max-upload" env:"ICIMS_EXPORT_API_MAX_UPLOAD" default:"1024" placeholder:"MIB" group:"api" help:"Largest body of an export in MiB, 1 to 102400. Other requests may have 1 MiB."`
	APIKeyRate        float64       `name:"api-key-rate" env:"ICIMS_EXPORT_API_KEY_RATE" default:"50" placeholder:"N" group:"api" help:"Sustained requests per second for one API key, per process, 0.1 to 100000."`
	APIKeyBurst       int           `name:"api-key-burst" env:"ICIMS_EXPORT_API_KEY_BURST" default:"100" placeholder:"N" group:"api" help:"Requests at once for one API key, 1 to 100000."`
	APIMaxRequests    int           `name:"api-max-requests" env:"ICIMS_EXPORT_API_MAX_REQUESTS" default:"1000" placeholder:"N" group:"api" help:"Concurrent requests per process, streams included, 4 to 100000. One API key may use a quarter. Console pages have a separate limit of the same size: a key may use a quarter, an address without a log-in a tenth (each at least 8, but at most half), and all such addresses together half."`
	APIKeyUploads     int           `name:"api-key-uploads" env:"ICIMS_EXPORT_API_KEY_UPLOADS" default:"8" placeholder:"N" group:"api" help:"Concurrent uploads of one API key, per process, 1 to 100000. An upload is an export with a body over 1 MiB or of unknown length. Always below the key's requests, and at most a quarter of api_uploads, but at least one."`
	APIUploads        int           `name:"api-uploads" env:"ICIMS_EXPORT_API_UPLOADS" default:"32" placeholder:"N" group:"api" help:"Concurrent uploads of all API keys, per process, 1 to 100000. One key may use a quarter, but at least one. An upload of a million rows may take 100 MB of memory."`
	JournalRetention  time.Duration `name:"journal-retention" env:"ICIMS_EXPORT_JOURNAL_RETENTION" default:"400d" placeholder:"DURATION" group:"api" help:"Time for which the audit log is kept, at least 24h."`

	OTLPEndpoint     string  `name:"otlp-endpoint" env:"ICIMS_EXPORT_OTLP_ENDPOINT" placeholder:"URL" group:"traces" help:"OpenTelemetry collector for traces (OTLP over HTTP), such as http://127.0.0.1:4318. Without it, and without OpenTelemetry's own variables, nothing is traced."`
	TraceRatio       float64 `name:"trace-ratio" env:"ICIMS_EXPORT_TRACE_RATIO" default:"1" placeholder:"N" group:"traces" help:"Part of the traces to record, 0 to 1."`
	MetricsListen    string  `name:"metrics-listen" env:"ICIMS_EXPORT_METRICS_LISTEN" placeholder:"ADDRESS" group:"metrics" help:"Address for /metrics, /healthz and /readyz of worker and serve, such as 127.0.0.1:9464. It requires no key. Off unless set."`
	MetricsCustomers bool    `name:"metrics-customers" env:"ICIMS_EXPORT_METRICS_CUSTOMERS" placeholder:"BOOL" group:"metrics" help:"Add metrics of lanes and budgets per customer with work, labeled with the customer id."`

	LogLevel  string `name:"log-level" env:"ICIMS_EXPORT_LOG_LEVEL" default:"info" placeholder:"LEVEL" group:"logging" help:"Lowest level to log: trace, debug, info, warn, error, fatal, panic or disabled."`
	LogFormat string `name:"log-format" env:"ICIMS_EXPORT_LOG_FORMAT" default:"auto" placeholder:"FORMAT" group:"logging" help:"Log format: json, console, or auto (console on a terminal, otherwise json)."`
}

// groups are the headings of the settings in --help and in the reference.
var groups = []kong.Group{
	{Key: "files", Title: "Redis and files"},
	{Key: "icims", Title: "iCIMS"},
	{Key: "limits", Title: "Call limits: defaults for connections without their own"},
	{Key: "jobs", Title: "Job lists"},
	{Key: "retry", Title: "Retries"},
	{Key: "worker", Title: "Worker"},
	{Key: "api", Title: "HTTP API (serve)"},
	{Key: "traces", Title: "Traces"},
	{Key: "metrics", Title: "Metrics and health"},
	{Key: "logging", Title: "Logging"},
}

// Limits returns the limits of connections without their own.
func (s Settings) Limits() store.Limits {
	return store.Limits{
		CallsPerSecond: s.CallsPerSecond, Burst: s.Burst, InFlight: s.InFlight, CallsPerDay: s.CallsPerDay, ExpressReserve: s.ExpressReserve, DayAssumed: true,
	}
}

// Options returns the kong options for a grammar that embeds Settings.
func Options() []kong.Option {
	return []kong.Option{
		kong.ExplicitGroups(groups),
		kong.TypeMapper(reflect.TypeFor[time.Duration](), durationMapper{}),
	}
}

// setting describes one field of Settings.
type setting struct {
	field string
	key   string // in the file
	flag  string
	env   string
	def   string
	hint  string // of the value, for the reference
	group string
	help  string
}

// settings lists the fields of Settings in their order.
func settings() []setting {
	t := reflect.TypeFor[Settings]()
	all := make([]setting, 0, t.NumField())
	for f := range t.Fields() {
		flag := f.Tag.Get("name")
		all = append(all, setting{
			field: f.Name,
			key:   fileKey(flag),
			flag:  flag,
			env:   f.Tag.Get("env"),
			def:   f.Tag.Get("default"),
			hint:  f.Tag.Get("placeholder"),
			group: f.Tag.Get("group"),
			help:  f.Tag.Get("help"),
		})
	}
	return all
}
