package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/internal/prose"
	"github.com/seekout/icims-export/traces"
)

const (
	maxLookupBatch     = 200
	maxLookupMemo      = 5 * time.Minute
	maxLaneConcurrency = 200
	maxLanes           = 2000
	maxEnqueueChunk    = 10_000
	maxMaxBatchRows    = 100_000_000
	maxMaxWaiting      = 100_000_000
	maxAcceptMemory    = 100 // percent
	maxBurst           = 10_000
	maxInFlight        = 1000
	maxCallsPerDay     = 10_000_000
	maxExpressReserve  = 90
	maxCalls           = 10_000
	minCallsPerSecond  = 0.01
	maxCallsPerSecond  = 10_000
	minResultRetention = time.Hour
	minAbandonedAfter  = time.Hour
	minTaskRetention   = time.Second
	maxTaskRetention   = 24 * time.Hour
	maxJobsShare       = 90
	minVerifyEvery     = 24 * time.Hour
	minJobsAge         = time.Minute
	maxJobsAge         = 24 * time.Hour
	minConsoleIdle     = time.Minute
	maxConsoleIdle     = 12 * time.Hour

	minRequestTimeout   = 35 * time.Second
	minJournalRetention = 24 * time.Hour
	maxUploadMiB        = 102_400
	minKeyRate          = 0.1
	maxKeyRate          = 100_000
	maxKeyBurst         = 100_000
	minMaxRequests      = 4
	maxMaxRequests      = 100_000
)

var (
	logLevels  = []string{"trace", "debug", "info", "warn", "error", "fatal", "panic", "disabled"}
	logFormats = []string{"auto", "console", "json"}
)

// Problem is one setting that is invalid or conflicts with another.
type Problem struct {
	// Setting is the name of the environment variable.
	Setting string
	Message string
	Remedy  string
}

func (p *Problem) Error() string { return p.Setting + " " + p.Message + ": " + p.Remedy }

// Validate checks each setting and their combinations. It returns all problems joined, each a
// *Problem. Kong calls it after parsing.
func (s Settings) Validate() error {
	var c checks
	c.redis(s.RedisURL)
	if err := s.redisPasswordConflict(); err != nil {
		c = append(c, err)
	}
	if s.RedisCAFile != "" && !s.RedisURL.Embedded() && !s.RedisURL.overTLS() {
		c.add("RedisCAFile", "is set, but the Redis URL does not use TLS", "write rediss:// in ICIMS_EXPORT_REDIS_URL, or unset the file")
	}
	c.hosts(s.IcimsHosts)
	c.proxy(s)
	c.durations(s)
	c.between("LookupBatch", s.LookupBatch, maxLookupBatch)
	c.between("LaneConcurrency", s.LaneConcurrency, maxLaneConcurrency)
	c.between("MaxLanes", s.MaxLanes, maxLanes)
	c.between("EnqueueChunk", s.EnqueueChunk, maxEnqueueChunk)
	c.between("MaxBatchRows", s.MaxBatchRows, maxMaxBatchRows)
	if s.ConsoleIdle < minConsoleIdle || s.ConsoleIdle > maxConsoleIdle {
		c.add("ConsoleIdle", fmt.Sprintf("is %s", short(s.ConsoleIdle)), "use a duration from 1m to 12h")
	}
	c.between("MaxWaiting", s.MaxWaiting, maxMaxWaiting)
	c.between("AcceptMemory", s.AcceptMemory, maxAcceptMemory)
	if !(s.CallsPerSecond >= minCallsPerSecond && s.CallsPerSecond <= maxCallsPerSecond) { // this form also refuses NaN
		c.add("CallsPerSecond", fmt.Sprintf("is %g", s.CallsPerSecond), "use a number from 0.01 to 10000")
	}
	c.between("Burst", s.Burst, maxBurst)
	c.between("InFlight", s.InFlight, maxInFlight)
	c.between("CallsPerDay", s.CallsPerDay, maxCallsPerDay)
	c.between("ExpressReserve", s.ExpressReserve, maxExpressReserve)
	c.between("MaxCalls", s.MaxCalls, maxCalls)
	c.between("JobsShare", s.JobsShare, maxJobsShare)
	if s.JobsMaxAge < minJobsAge || s.JobsMaxAge > maxJobsAge {
		c.add("JobsMaxAge", fmt.Sprintf("is %s", short(s.JobsMaxAge)), "use a duration from 1m to 24h")
	}
	if s.VerifyEvery < 0 || s.VerifyEvery > 0 && s.VerifyEvery < minVerifyEvery {
		c.add("VerifyEvery", fmt.Sprintf("is %s", short(s.VerifyEvery)), "use a duration of at least 24h, or 0 for never")
	}
	if problem := DomainProblem(s.DummyEmailDomain); problem != "" {
		c.add("DummyEmailDomain", problem, "use a plain domain name such as seekout.example.com")
	}
	c.api(s)
	c.egress(s)
	if s.OTLPEndpoint != "" {
		if _, err := traces.ParseEndpoint(s.OTLPEndpoint); err != nil {
			c.add("OTLPEndpoint", err.Error(), "write scheme, host and port of the collector")
		}
	}
	if !(s.TraceRatio >= 0 && s.TraceRatio <= 1) { // this form also refuses NaN
		c.add("TraceRatio", fmt.Sprintf("is %g", s.TraceRatio), "use a number from 0 to 1")
	}
	if s.MetricsListen != "" {
		c.address("MetricsListen", s.MetricsListen, "127.0.0.1:9464, or unset it")
	}
	c.oneOf("LogLevel", s.LogLevel, logLevels)
	c.oneOf("LogFormat", s.LogFormat, logFormats)
	return errors.Join(c...)
}

// checks collects problems.
type checks []error

func (c *checks) add(field, message, remedy string) {
	*c = append(*c, &Problem{envOf(field), message, remedy})
}

// envOf returns the environment variable of a field of Settings.
func envOf(field string) string {
	f, ok := reflect.TypeFor[Settings]().FieldByName(field)
	if !ok {
		panic("config: no setting " + field)
	}
	return f.Tag.Get("env")
}

func (c *checks) redis(u RedisURL) {
	if u.Embedded() {
		return
	}
	if _, err := parseRedisURL(string(u)); err != nil {
		*c = append(*c, err)
	}
}

// durations checks each duration, then their relations. An invalid duration is excluded from the
// comparisons.
func (c *checks) durations(s Settings) {
	positive := func(field string, d time.Duration) bool {
		if d <= 0 {
			c.add(field, fmt.Sprintf("is %s", short(d)), "use a duration above zero, such as 30s")
		}
		return d > 0
	}
	call := positive("CallTimeout", s.CallTimeout)
	afterCall := func(field string, d time.Duration, why string) {
		if positive(field, d) && call && d <= s.CallTimeout {
			c.add(field, fmt.Sprintf("is %s, which is not longer than %s (%s), so %s", short(d), envOf("CallTimeout"), short(s.CallTimeout), why),
				fmt.Sprintf("raise it above %s or lower %s", short(s.CallTimeout), envOf("CallTimeout")))
		}
	}
	afterCall("SettleTime", s.SettleTime, "a lost write could be repeated while iCIMS still carries it out")
	afterCall("Lease", s.Lease, "a second worker could take an export while the first is still calling")
	afterCall("ShutdownTimeout", s.ShutdownTimeout, "a stop would cut off a call that is under way")

	minOK, maxOK, budgetOK := positive("RetryMin", s.RetryMin), positive("RetryMax", s.RetryMax), positive("RetryBudget", s.RetryBudget)
	if minOK && maxOK && s.RetryMax < s.RetryMin {
		c.add("RetryMax", fmt.Sprintf("is %s, which is shorter than %s (%s)", short(s.RetryMax), envOf("RetryMin"), short(s.RetryMin)),
			fmt.Sprintf("raise it to at least %s or lower %s", short(s.RetryMin), envOf("RetryMin")))
	}
	if maxOK && budgetOK && s.RetryBudget <= s.RetryMax {
		c.add("RetryBudget", fmt.Sprintf("is %s, which is not longer than %s (%s), so the longest pause would end every export", short(s.RetryBudget), envOf("RetryMax"), short(s.RetryMax)),
			fmt.Sprintf("raise it above %s or lower %s", short(s.RetryMax), envOf("RetryMax")))
	}
	positive("LaneIdle", s.LaneIdle)
	if s.LookupMemo < 0 || s.LookupMemo > maxLookupMemo {
		c.add("LookupMemo", fmt.Sprintf("is %s", short(s.LookupMemo)), "use a duration from 0s (look up each time) to 5m; older answers would miss people created meanwhile")
	}
	if s.AbandonedAfter < minAbandonedAfter {
		c.add("AbandonedAfter", fmt.Sprintf("is %s", short(s.AbandonedAfter)), "use at least 1h, so that a slow producer can finish")
	}
	if s.TaskRetention != 0 && (s.TaskRetention < minTaskRetention || s.TaskRetention > maxTaskRetention) {
		c.add("TaskRetention", fmt.Sprintf("is %s", short(s.TaskRetention)), "use a duration from 1s to 24h, or 0 to keep no completed tasks")
	}
	if s.ResultRetention < minResultRetention {
		c.add("ResultRetention", fmt.Sprintf("is %s", short(s.ResultRetention)), "use at least 1h, so that results can be fetched before they expire")
	}
}

// address checks a listen address.
func (c *checks) address(field, address, such string) {
	if host, port, err := net.SplitHostPort(address); err != nil || port == "" || strings.ContainsAny(host, "/@ ") {
		c.add(field, "is not an address with a port", "write one such as "+such)
	}
}

// api checks the settings of serve.
func (c *checks) api(s Settings) {
	c.address("APIListen", s.APIListen, "127.0.0.1:8080, or :8080 for all addresses of this machine")
	if s.APITLSCert != "" && s.APITLSKey == "" {
		c.add("APITLSKey", "is missing, but the certificate is set", "name its private key file, or unset both for plain HTTP")
	}
	if s.APITLSCert == "" && s.APITLSKey != "" {
		c.add("APITLSCert", "is missing, but the private key is set", "name its certificate file, or unset both for plain HTTP")
	}
	for i, network := range s.APITrustedProxies {
		if !isNetwork(network) {
			c.add("APITrustedProxies", fmt.Sprintf("has an entry (number %d) that is neither an address nor a network", i+1), "write each as 10.0.0.7 or 10.0.0.0/8")
		}
	}
	if s.APIRequestTimeout < minRequestTimeout {
		c.add("APIRequestTimeout", fmt.Sprintf("is %s", short(s.APIRequestTimeout)), "use at least 35s: requests may wait for 30s")
	}
	if s.APIStallTimeout < time.Second {
		c.add("APIStallTimeout", fmt.Sprintf("is %s", short(s.APIStallTimeout)), "use at least 1s")
	}
	if s.JournalRetention < minJournalRetention {
		c.add("JournalRetention", fmt.Sprintf("is %s", short(s.JournalRetention)), "use at least 24h, to keep a record of who did what")
	}
	if !(s.APIKeyRate >= minKeyRate && s.APIKeyRate <= maxKeyRate) { // this form also refuses NaN
		c.add("APIKeyRate", fmt.Sprintf("is %g", s.APIKeyRate), "use a number from 0.1 to 100000")
	}
	c.between("APIMaxUpload", s.APIMaxUpload, maxUploadMiB)
	c.between("APIKeyBurst", s.APIKeyBurst, maxKeyBurst)
	c.between("APIKeyUploads", s.APIKeyUploads, maxMaxRequests)
	c.between("APIUploads", s.APIUploads, maxMaxRequests)
	if s.APIMaxRequests < minMaxRequests || s.APIMaxRequests > maxMaxRequests {
		c.add("APIMaxRequests", fmt.Sprintf("is %d", s.APIMaxRequests), "use a number from 4 to 100000")
	}
}

// egress checks the addresses shown to customers.
func (c *checks) egress(s Settings) {
	for i, address := range s.EgressAddresses {
		if !isNetwork(address) {
			c.add("EgressAddresses", fmt.Sprintf("has an entry (number %d) that is neither an address nor a network", i+1), "write each as 192.0.2.7 or 192.0.2.0/28")
		}
	}
}

func isNetwork(text string) bool {
	_, networkErr := netip.ParsePrefix(text)
	_, addressErr := netip.ParseAddr(text)
	return networkErr == nil || addressErr == nil
}

func (c *checks) between(field string, n, most int) {
	if n < 1 || n > most {
		c.add(field, fmt.Sprintf("is %d", n), fmt.Sprintf("use a number from 1 to %d", most))
	}
}

func (c *checks) oneOf(field, value string, known []string) {
	if !slices.Contains(known, value) {
		c.add(field, fmt.Sprintf("is %q, which is unknown%s", value, strings.TrimSuffix(prose.DidYouMean(value, known), "?")),
			"give one of "+strings.Join(known, ", "))
	}
}

func (c *checks) hosts(origins []string) {
	for i, origin := range origins {
		if problem := originProblem(origin); problem != "" {
			// The entry is counted, not quoted: it may contain credentials.
			c.add("IcimsHosts", fmt.Sprintf("has an entry (number %d) that %s", i+1, problem), "write only scheme, host and port, such as http://127.0.0.1:8899")
		}
	}
}

// proxy checks how the hosts are reached.
func (c *checks) proxy(s Settings) {
	for i, text := range s.IcimsPrivateAddresses {
		if _, err := icims.ParseNetwork(text); err != nil {
			c.add("IcimsPrivateAddresses", fmt.Sprintf("has an entry (number %d) that %v", i+1, err), "write addresses and networks, such as 10.0.0.5,172.16.0.0/12")
		}
	}
	if s.IcimsProxy != "" {
		if _, err := (icims.HostPolicy{}).WithProxy(string(s.IcimsProxy)); err != nil {
			c.add("IcimsProxy", "is not a proxy's address", "write scheme, host and port, such as http://proxy.example.com:3128")
		}
	}
}

func originProblem(origin string) string {
	u, err := url.Parse(origin)
	switch {
	case err != nil:
		return "is not a URL"
	case u.Scheme != "http" && u.Scheme != "https":
		return "does not start with http:// or https://"
	case u.User != nil:
		return "holds a user name or password"
	case u.Hostname() == "":
		return "names no host"
	case u.Scheme+"://"+u.Host != origin:
		return "has more than an origin"
	case strings.ToLower(u.Host) != u.Host || strings.Contains(u.Host, "*"):
		return "has a host that is not in lower case or holds a wildcard"
	default:
		return ""
	}
}

// DomainProblem returns why a domain name is invalid, or "". It must follow RFC 1035, in ASCII, and
// leave room for the local part of an email address.
func DomainProblem(domain string) string {
	const maxDomain, maxLabel = 200, 63
	labels := strings.Split(domain, ".")
	switch {
	case domain == "":
		return "is empty"
	case len(domain) > maxDomain:
		return "is too long"
	case len(labels) < 2:
		return fmt.Sprintf("is %q, which has no dot", domain)
	}
	for _, label := range labels {
		if label == "" || len(label) > maxLabel || strings.HasPrefix(label, "-") || strings.HasSuffix(label, "-") ||
			strings.ContainsFunc(label, func(r rune) bool { return !isDomainRune(r) }) {
			return fmt.Sprintf("is %q, which is not a domain name in ASCII", domain)
		}
	}
	return ""
}

func isDomainRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-'
}

// short formats 1h0m0s as 1h.
func short(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}
