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

	RedisURL    RedisURL `name:"redis-url" env:"ICIMS_EXPORT_REDIS_URL" default:"redis://127.0.0.1:6379/0" placeholder:"URL" group:"files" help:"Redis to keep everything in; \"embedded\" runs one inside the process, which keeps nothing."`
	Keyset      string   `name:"keyset" env:"ICIMS_EXPORT_KEYSET" placeholder:"FILE" group:"files" help:"File of the keys that seal personal data and passwords in Redis (see: keys new)."`
	Connections string   `name:"connections" env:"ICIMS_EXPORT_CONNECTIONS" placeholder:"FILE" group:"files" help:"YAML file of the customers' iCIMS connections; read at start and on SIGHUP."`

	IcimsHosts            []string `name:"icims-hosts" env:"ICIMS_EXPORT_ICIMS_HOSTS" placeholder:"ORIGIN,..." group:"icims" help:"Further API origins that are allowed, such as http://127.0.0.1:8899. Without it only iCIMS's own hosts are, over https."`
	IcimsPrivateAddresses []string `name:"icims-private-addresses" env:"ICIMS_EXPORT_ICIMS_PRIVATE_ADDRESSES" placeholder:"ADDRESS,..." group:"icims" help:"Addresses and networks (10.0.0.0/8) at which the API may be although they are not public. An address that is listed as an origin, and localhost, need none."`
	IcimsProxy            ProxyURL `name:"icims-proxy" env:"ICIMS_EXPORT_ICIMS_PROXY" placeholder:"URL" group:"icims" help:"HTTP proxy through which iCIMS is called, such as http://proxy.example.com:3128. Without it none is used, whatever HTTPS_PROXY says."`

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

	RetryMin    time.Duration `name:"retry-min" env:"ICIMS_EXPORT_RETRY_MIN" default:"5s" placeholder:"DURATION" group:"retry" help:"Shortest pause before an export is tried again."`
	RetryMax    time.Duration `name:"retry-max" env:"ICIMS_EXPORT_RETRY_MAX" default:"1h" placeholder:"DURATION" group:"retry" help:"Longest pause before an export is tried again."`
	RetryBudget time.Duration `name:"retry-budget" env:"ICIMS_EXPORT_RETRY_BUDGET" default:"24h" placeholder:"DURATION" group:"retry" help:"Time over which an export is tried before it becomes a dead letter."`

	Lease           time.Duration `name:"lease" env:"ICIMS_EXPORT_LEASE" default:"60s" placeholder:"DURATION" group:"worker" help:"Time for which a worker owns an export that it has claimed. Longer than the call time-out."`
	LaneConcurrency int           `name:"lane-concurrency" env:"ICIMS_EXPORT_LANE_CONCURRENCY" default:"10" placeholder:"N" group:"worker" help:"Exports of one customer that a process works on at the same time, 1 to 200."`
	MaxLanes        int           `name:"max-lanes" env:"ICIMS_EXPORT_MAX_LANES" default:"200" placeholder:"N" group:"worker" help:"Customers that a process serves at the same time, 1 to 2000."`
	LaneIdle        time.Duration `name:"lane-idle" env:"ICIMS_EXPORT_LANE_IDLE" default:"5s" placeholder:"DURATION" group:"worker" help:"Time without work after which a customer's lane is closed."`
	ShutdownTimeout time.Duration `name:"shutdown-timeout" env:"ICIMS_EXPORT_SHUTDOWN_TIMEOUT" default:"45s" placeholder:"DURATION" group:"worker" help:"Time that a stopped worker has to finish what it holds. Longer than the call time-out."`
	EnqueueChunk    int           `name:"enqueue-chunk" env:"ICIMS_EXPORT_ENQUEUE_CHUNK" default:"500" placeholder:"N" group:"worker" help:"Candidates that are written to Redis in one pipeline, 1 to 10000."`
	ResultRetention time.Duration `name:"result-retention" env:"ICIMS_EXPORT_RESULT_RETENTION" default:"30d" placeholder:"DURATION" group:"worker" help:"Time for which the results of a finished batch are kept, at least 1h. Success markers do not expire."`

	LogLevel  string `name:"log-level" env:"ICIMS_EXPORT_LOG_LEVEL" default:"info" placeholder:"LEVEL" group:"logging" help:"Least level that is logged: trace, debug, info, warn, error, fatal, panic or disabled."`
	LogFormat string `name:"log-format" env:"ICIMS_EXPORT_LOG_FORMAT" default:"auto" placeholder:"FORMAT" group:"logging" help:"Form of the log: json, console, or auto, which is console on a terminal and json elsewhere."`
}

// groups are the headings of the settings in --help and in the reference.
var groups = []kong.Group{
	{Key: "files", Title: "Redis and files"},
	{Key: "icims", Title: "iCIMS"},
	{Key: "limits", Title: "Limits of calls: for connections that do not give their own"},
	{Key: "retry", Title: "Retries"},
	{Key: "worker", Title: "Worker"},
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
