// Package config holds every setting of icims-export in one struct, reads it
// from flags, environment and file, checks it as a whole and writes its own
// reference.
package config

import (
	"reflect"
	"time"

	"github.com/alecthomas/kong"

	"github.com/seekout/icims-export/store"
)

// Settings is everything that can be set. A flag wins over the environment,
// the environment over the file that Config names, the file over the default.
type Settings struct {
	Config File `name:"config" env:"ICIMS_EXPORT_CONFIG" placeholder:"FILE" group:"files" help:"YAML file with any of these settings, named with underscores (call_timeout: 30s)."`

	RedisURL          RedisURL `name:"redis-url" env:"ICIMS_EXPORT_REDIS_URL" default:"redis://127.0.0.1:6379/0" placeholder:"URL" group:"files" help:"Redis to keep everything in; \"embedded\" runs one inside the process, which keeps nothing."`
	RedisPasswordFile string   `name:"redis-password-file" env:"ICIMS_EXPORT_REDIS_PASSWORD_FILE" placeholder:"FILE" group:"files" help:"File that holds only the password of the Redis user. The URL names the user: redis://icims-export@redis:6379/0."`
	RedisCAFile       string   `name:"redis-ca-file" env:"ICIMS_EXPORT_REDIS_CA_FILE" placeholder:"FILE" group:"files" help:"Certificates (PEM) of the authorities that sign Redis's certificate. Without it those of the system are trusted."`
	Keyset            string   `name:"keyset" env:"ICIMS_EXPORT_KEYSET" placeholder:"FILE" group:"files" help:"File of the keys that seal personal data and passwords in Redis (see: keys new)."`
	Connections       string   `name:"connections" env:"ICIMS_EXPORT_CONNECTIONS" placeholder:"FILE" group:"files" help:"YAML file of the customers' iCIMS connections; read at start and on SIGHUP."`

	IcimsHosts            []string `name:"icims-hosts" env:"ICIMS_EXPORT_ICIMS_HOSTS" placeholder:"ORIGIN,..." group:"icims" help:"Further API origins that are allowed, such as http://127.0.0.1:8899. Without it only iCIMS's own hosts are, over https."`
	IcimsPrivateAddresses []string `name:"icims-private-addresses" env:"ICIMS_EXPORT_ICIMS_PRIVATE_ADDRESSES" placeholder:"ADDRESS,..." group:"icims" help:"Addresses and networks (10.0.0.0/8) at which the API may be although they are not public. An address that is listed as an origin, and localhost, need none."`
	IcimsProxy            ProxyURL `name:"icims-proxy" env:"ICIMS_EXPORT_ICIMS_PROXY" placeholder:"URL" group:"icims" help:"HTTP proxy through which iCIMS is called, such as http://proxy.example.com:3128. Without it none is used, whatever HTTPS_PROXY says."`
	EgressAddresses       []string `name:"egress-addresses" env:"ICIMS_EXPORT_EGRESS_ADDRESSES" placeholder:"ADDRESS,..." group:"icims" help:"Addresses from which iCIMS sees the workers' calls come, such as those of a NAT gateway. Customers need to have them allow-listed by iCIMS; remedies and the API name them."`

	CallTimeout      time.Duration `name:"call-timeout" env:"ICIMS_EXPORT_CALL_TIMEOUT" default:"30s" placeholder:"DURATION" group:"icims" help:"Longest time one iCIMS call may take."`
	SettleTime       time.Duration `name:"settle-time" env:"ICIMS_EXPORT_SETTLE_TIME" default:"90s" placeholder:"DURATION" group:"icims" help:"Time after a write without an answer before iCIMS is searched for its outcome. Longer than the call time-out."`
	LookupBatch      int           `name:"lookup-batch" env:"ICIMS_EXPORT_LOOKUP_BATCH" default:"50" placeholder:"N" group:"icims" help:"E-mail addresses that one search call looks up, 1 to 200."`
	LookupMemo       time.Duration `name:"lookup-memo" env:"ICIMS_EXPORT_LOOKUP_MEMO" default:"5m" placeholder:"DURATION" group:"icims" help:"Time for which the answer of a look-up is believed, at most 5m; 0s looks up each time."`
	DummyEmailDomain string        `name:"dummy-email-domain" env:"ICIMS_EXPORT_DUMMY_EMAIL_DOMAIN" default:"seekout.example.com" placeholder:"DOMAIN" group:"icims" help:"Domain of the e-mail addresses that are made up for candidates without one."`

	CallsPerSecond float64 `name:"calls-per-second" env:"ICIMS_EXPORT_CALLS_PER_SECOND" default:"5" placeholder:"N" group:"limits" help:"Calls a second for one customer, by all processes together, 0.01 to 10000."`
	Burst          int     `name:"burst" env:"ICIMS_EXPORT_BURST" default:"10" placeholder:"N" group:"limits" help:"Calls above that rate that iCIMS takes at once, 1 to 10000. Half of them are left for calls that arrive late."`
	InFlight       int     `name:"in-flight" env:"ICIMS_EXPORT_IN_FLIGHT" default:"4" placeholder:"N" group:"limits" help:"Calls for one customer at the same time, by all processes together, 1 to 1000."`
	CallsPerDay    int     `name:"calls-per-day" env:"ICIMS_EXPORT_CALLS_PER_DAY" default:"10000" placeholder:"N" group:"limits" help:"Calls a day for one customer, until iCIMS tells its own number."`
	ExpressReserve int     `name:"express-reserve" env:"ICIMS_EXPORT_EXPRESS_RESERVE" default:"5" placeholder:"PERCENT" group:"limits" help:"Part of the day's calls that is kept for small batches, less with each hour, 1 to 90 percent."`
	MaxCalls       int     `name:"max-calls" env:"ICIMS_EXPORT_MAX_CALLS" default:"256" placeholder:"N" group:"limits" help:"Calls of one process at the same time, for all customers, 1 to 10000."`

	JobsMaxAge time.Duration `name:"jobs-max-age" env:"ICIMS_EXPORT_JOBS_MAX_AGE" default:"10m" placeholder:"DURATION" group:"jobs" help:"Age from which a customer's list of jobs is read anew when somebody asks for it, 1m to 24h."`
	JobsShare  int           `name:"jobs-share" env:"ICIMS_EXPORT_JOBS_SHARE" default:"10" placeholder:"PERCENT" group:"jobs" help:"Part of a customer's calls a day that the list and the jobs' titles may take, 1 to 90 percent. Titles beyond it are read on other days."`

	VerifyEvery time.Duration `name:"verify-every" env:"ICIMS_EXPORT_VERIFY_EVERY" default:"168h" placeholder:"DURATION" group:"icims" help:"Time after which a verified connection is verified again by itself, if calls are left and it is not paused: about twenty calls. At least 24h, or 0 for never."`

	RetryMin    time.Duration `name:"retry-min" env:"ICIMS_EXPORT_RETRY_MIN" default:"5s" placeholder:"DURATION" group:"retry" help:"Shortest pause before an export is tried again."`
	RetryMax    time.Duration `name:"retry-max" env:"ICIMS_EXPORT_RETRY_MAX" default:"1h" placeholder:"DURATION" group:"retry" help:"Longest pause before an export is tried again."`
	RetryBudget time.Duration `name:"retry-budget" env:"ICIMS_EXPORT_RETRY_BUDGET" default:"24h" placeholder:"DURATION" group:"retry" help:"Time over which an export is tried before it becomes a dead letter."`

	Lease           time.Duration `name:"lease" env:"ICIMS_EXPORT_LEASE" default:"60s" placeholder:"DURATION" group:"worker" help:"Time for which a worker owns an export that it has claimed. Longer than the call time-out."`
	LaneConcurrency int           `name:"lane-concurrency" env:"ICIMS_EXPORT_LANE_CONCURRENCY" default:"10" placeholder:"N" group:"worker" help:"Exports of one customer that a process works on at the same time, 1 to 200."`
	MaxLanes        int           `name:"max-lanes" env:"ICIMS_EXPORT_MAX_LANES" default:"200" placeholder:"N" group:"worker" help:"Customers that a process serves at the same time, 1 to 2000."`
	LaneIdle        time.Duration `name:"lane-idle" env:"ICIMS_EXPORT_LANE_IDLE" default:"5s" placeholder:"DURATION" group:"worker" help:"Time without work after which a customer's lane is closed."`
	ShutdownTimeout time.Duration `name:"shutdown-timeout" env:"ICIMS_EXPORT_SHUTDOWN_TIMEOUT" default:"45s" placeholder:"DURATION" group:"worker" help:"Time that a stopped worker has to finish what it holds. Longer than the call time-out."`
	EnqueueChunk    int           `name:"enqueue-chunk" env:"ICIMS_EXPORT_ENQUEUE_CHUNK" default:"500" placeholder:"N" group:"worker" help:"Candidates that are written to Redis in one pipeline, 1 to 10000."`
	MaxBatchRows    int           `name:"max-batch-rows" env:"ICIMS_EXPORT_MAX_BATCH_ROWS" default:"1000000" placeholder:"N" group:"worker" help:"Rows that one batch may have, by the API or a file, 1 to 100000000. Each takes up to 100 bytes of the process that hands it over, and some 2 KB of Redis."`
	MaxWaiting      int           `name:"max-waiting" env:"ICIMS_EXPORT_MAX_WAITING" default:"200000" placeholder:"N" group:"worker" help:"Candidates that one customer may have waiting, dead letters included, 1 to 100000000. Further ones are refused until some have ended. Each takes some 2 KB of Redis."`
	AcceptMemory    int           `name:"accept-memory" env:"ICIMS_EXPORT_ACCEPT_MEMORY" default:"85" placeholder:"PERCENT" group:"worker" help:"Part of Redis's maxmemory up to which candidates are accepted, 1 to 100 percent. The rest is for exports on their way, and for operators."`
	ResultRetention time.Duration `name:"result-retention" env:"ICIMS_EXPORT_RESULT_RETENTION" default:"30d" placeholder:"DURATION" group:"worker" help:"Time for which the results of a finished batch are kept, at least 1h. Success markers do not expire."`
	TaskRetention   time.Duration `name:"task-retention" env:"ICIMS_EXPORT_TASK_RETENTION" default:"10m" placeholder:"DURATION" group:"worker" help:"Time for which asynq's web UI shows a completed task, 1s to 24h, or 0 to keep none. Each takes some 600 bytes of Redis."`
	AbandonedAfter  time.Duration `name:"abandoned-after" env:"ICIMS_EXPORT_ABANDONED_AFTER" default:"24h" placeholder:"DURATION" group:"worker" help:"Time without a row after which a batch is closed whose producer never finished sending, at least 1h. Sending it again with the same idempotency key still adds the rest."`

	APIListen         string        `name:"api-listen" env:"ICIMS_EXPORT_API_LISTEN" default:"127.0.0.1:8080" placeholder:"ADDRESS" group:"api" help:"Address that serve listens on."`
	Console           bool          `name:"console" env:"ICIMS_EXPORT_CONSOLE" default:"true" negatable:"" placeholder:"BOOL" group:"api" help:"Serve the console, for people with a browser, at the API's address; without it only programs are answered."`
	ConsoleIdle       time.Duration `name:"console-idle" env:"ICIMS_EXPORT_CONSOLE_IDLE" default:"1h" placeholder:"DURATION" group:"api" help:"Time without use after which a console session ends, 1m to 12h. A page that refreshes itself or streams does not count as use. A session ends after 12h in any case."`
	APITLSCert        string        `name:"api-tls-cert" env:"ICIMS_EXPORT_API_TLS_CERT" placeholder:"FILE" group:"api" help:"Certificate chain (PEM); read again on SIGHUP. Without it the API speaks plain HTTP."`
	APITLSKey         string        `name:"api-tls-key" env:"ICIMS_EXPORT_API_TLS_KEY" placeholder:"FILE" group:"api" help:"The certificate's private key (PEM)."`
	APITrustedProxies []string      `name:"api-trusted-proxies" env:"ICIMS_EXPORT_API_TRUSTED_PROXIES" placeholder:"NETWORK,..." group:"api" help:"Addresses or networks of proxies whose X-Forwarded-For is believed, such as 10.0.0.0/8. By the caller's address failed log-ins, and requests without one, are counted."`
	APIRequestTimeout time.Duration `name:"api-request-timeout" env:"ICIMS_EXPORT_API_REQUEST_TIMEOUT" default:"60s" placeholder:"DURATION" group:"api" help:"Longest time that a request may take, but for uploads and streams. At least 35s, since requests may wait for 30s."`
	APIStallTimeout   time.Duration `name:"api-stall-timeout" env:"ICIMS_EXPORT_API_STALL_TIMEOUT" default:"30s" placeholder:"DURATION" group:"api" help:"Time for which a caller may neither send nor take anything of an upload or a stream."`
	APIMaxUpload      int           `name:"api-max-upload" env:"ICIMS_EXPORT_API_MAX_UPLOAD" default:"1024" placeholder:"MIB" group:"api" help:"Largest body of an export in MiB, 1 to 102400. Others may have 1 MiB."`
	APIKeyRate        float64       `name:"api-key-rate" env:"ICIMS_EXPORT_API_KEY_RATE" default:"50" placeholder:"N" group:"api" help:"Requests a second that one API key may make for long, by one process, 0.1 to 100000."`
	APIKeyBurst       int           `name:"api-key-burst" env:"ICIMS_EXPORT_API_KEY_BURST" default:"100" placeholder:"N" group:"api" help:"Requests that one API key may make at once, 1 to 100000."`
	APIMaxRequests    int           `name:"api-max-requests" env:"ICIMS_EXPORT_API_MAX_REQUESTS" default:"1000" placeholder:"N" group:"api" help:"Requests that a process answers at the same time, streams included, 4 to 100000. One API key may have a quarter of them. Pages of the console have as many of their own: of those a key may have a quarter, an address without a log-in a tenth, each at least 8 unless that is more than half, and all addresses together half."`
	APIKeyUploads     int           `name:"api-key-uploads" env:"ICIMS_EXPORT_API_KEY_UPLOADS" default:"8" placeholder:"N" group:"api" help:"Uploads of one API key at the same time, by one process, 1 to 100000: exports whose body is over 1 MiB, or of unknown length. Always fewer than the key's requests, and at most a quarter of api_uploads, but at least one."`
	APIUploads        int           `name:"api-uploads" env:"ICIMS_EXPORT_API_UPLOADS" default:"32" placeholder:"N" group:"api" help:"Uploads of all API keys together at the same time, by one process, 1 to 100000, of which one key may have a quarter, but at least one. One of a million rows may take 100 MB of memory."`
	JournalRetention  time.Duration `name:"journal-retention" env:"ICIMS_EXPORT_JOURNAL_RETENTION" default:"400d" placeholder:"DURATION" group:"api" help:"Time for which it is kept who changed what, by the API or the command line, at least 24h."`

	OTLPEndpoint     string  `name:"otlp-endpoint" env:"ICIMS_EXPORT_OTLP_ENDPOINT" placeholder:"URL" group:"traces" help:"OpenTelemetry collector that takes traces by OTLP over HTTP, such as http://127.0.0.1:4318. Without it, and without OpenTelemetry's own variables, nothing is traced."`
	TraceRatio       float64 `name:"trace-ratio" env:"ICIMS_EXPORT_TRACE_RATIO" default:"1" placeholder:"N" group:"traces" help:"Part of the traces that is recorded, from 0 to 1."`
	MetricsListen    string  `name:"metrics-listen" env:"ICIMS_EXPORT_METRICS_LISTEN" placeholder:"ADDRESS" group:"metrics" help:"Address on which worker and serve answer /metrics, /healthz and /readyz, such as 127.0.0.1:9464. It asks for no key. Without it there is none."`
	MetricsCustomers bool    `name:"metrics-customers" env:"ICIMS_EXPORT_METRICS_CUSTOMERS" placeholder:"BOOL" group:"metrics" help:"Show lanes and budgets of each customer with work as well, by customer id; without it only those of all together."`

	LogLevel  string `name:"log-level" env:"ICIMS_EXPORT_LOG_LEVEL" default:"info" placeholder:"LEVEL" group:"logging" help:"Least level that is logged: trace, debug, info, warn, error, fatal, panic or disabled."`
	LogFormat string `name:"log-format" env:"ICIMS_EXPORT_LOG_FORMAT" default:"auto" placeholder:"FORMAT" group:"logging" help:"Form of the log: json, console, or auto, which is console on a terminal and json elsewhere."`
}

// groups are the headings of the settings in --help and in the reference.
var groups = []kong.Group{
	{Key: "files", Title: "Redis and files"},
	{Key: "icims", Title: "iCIMS"},
	{Key: "limits", Title: "Limits of calls: for connections that do not give their own"},
	{Key: "jobs", Title: "Lists of jobs"},
	{Key: "retry", Title: "Retries"},
	{Key: "worker", Title: "Worker"},
	{Key: "api", Title: "HTTP API (serve)"},
	{Key: "traces", Title: "Traces"},
	{Key: "metrics", Title: "Metrics and health"},
	{Key: "logging", Title: "Logging"},
}

// Limits are those of connections that give none.
func (s Settings) Limits() store.Limits {
	return store.Limits{
		CallsPerSecond: s.CallsPerSecond, Burst: s.Burst, InFlight: s.InFlight, CallsPerDay: s.CallsPerDay, ExpressReserve: s.ExpressReserve, DayAssumed: true,
	}
}

// Options are what a kong parser needs whose grammar embeds Settings.
func Options() []kong.Option {
	return []kong.Option{
		kong.ExplicitGroups(groups),
		kong.TypeMapper(reflect.TypeFor[time.Duration](), durationMapper{}),
	}
}

// setting is what one field of Settings says about itself.
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
