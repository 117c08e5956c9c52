package config

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Embedded is the Redis URL for a Redis inside the process.
const Embedded = "embedded"

// ErrEmbedded is returned by RedisClient for the embedded Redis, which has no address.
var ErrEmbedded = errors.New("the embedded Redis has no address to connect to")

const (
	redisDialTimeout = 5 * time.Second
	// redisDials is how often each of the four attempts of a command dials. With the default of
	// five, an unreachable Redis is reported only after 1.7 seconds, the timeout of health probes.
	redisDials = 2
	// redisAnswerTimeout allows for a busy server. Commands that may take longer pass a context.
	redisAnswerTimeout = 5 * time.Second
	// redisTopologyAge is the maximum age of the client's view of a cluster. A dead or hanging node
	// does not redirect to the replica that replaced it; only a new view does.
	redisTopologyAge = 5 * time.Second
)

// RedisURL is the address of Redis. It prints without the password.
type RedisURL string

// Embedded reports whether the Redis runs inside the process.
func (u RedisURL) Embedded() bool { return u == Embedded }

// String returns the scheme and the hosts, without credentials and options.
func (u RedisURL) String() string {
	if u.Embedded() {
		return Embedded
	}
	p, err := splitRedisURL(string(u))
	if err != nil || !slices.Contains(redisSchemes, p.scheme) {
		return "[unreadable Redis URL]"
	}
	return p.scheme + "://" + strings.Join(p.hosts, ",")
}

// GoString keeps the password out of %#v.
func (u RedisURL) GoString() string { return strconv.Quote(u.String()) }

// MarshalText keeps the password out of JSON.
func (u RedisURL) MarshalText() ([]byte, error) { return []byte(u.String()), nil }

// RedisClient returns a client for the Redis URL, which may be unreachable. It returns ErrEmbedded
// for the embedded Redis and a *Problem for an invalid URL.
func (s Settings) RedisClient() (redis.UniversalClient, error) {
	if s.RedisURL.Embedded() {
		return nil, ErrEmbedded
	}
	target, err := parseRedisURL(string(s.RedisURL))
	if err != nil {
		return nil, err
	}
	if s.RedisPasswordFile != "" {
		if err := s.redisPasswordConflict(); err != nil {
			return nil, err
		}
		password, err := ReadRedisPassword(s.RedisPasswordFile)
		if err != nil {
			return nil, err
		}
		target.setPassword(string(password))
	}
	var authorities *x509.CertPool // nil: the system's
	if s.RedisCAFile != "" {
		if authorities, err = redisAuthorities(s.RedisCAFile); err != nil {
			return nil, err
		}
	}
	return target.client(authorities), nil
}

// redisTarget is a Redis to connect to: one of three kinds.
type redisTarget struct {
	single   *redis.Options
	sentinel *redis.FailoverOptions
	cluster  *redis.ClusterOptions
}

// client returns a client that trusts the authorities, or the system's if nil. It sends no CLIENT
// command, which some services forbid.
func (t redisTarget) client(authorities *x509.CertPool) redis.UniversalClient {
	client := t.plainClient(authorities)
	client.AddHook(abortedHook{})
	return client
}

func (t redisTarget) plainClient(authorities *x509.CertPool) redis.UniversalClient {
	secured := func(c *tls.Config) *tls.Config {
		if c != nil && authorities != nil {
			c.RootCAs = authorities
		}
		return c
	}
	switch {
	case t.sentinel != nil:
		o := t.sentinel
		o.TLSConfig, o.DisableIdentity = secured(o.TLSConfig), true
		o.Dialer = redisDialer(o.DialTimeout, o.TLSConfig)
		return redis.NewFailoverClient(o)
	case t.cluster != nil:
		o := t.cluster
		o.TLSConfig, o.DisableIdentity = secured(o.TLSConfig), true
		o.Dialer = redisDialer(o.DialTimeout, o.TLSConfig)
		return redis.NewClusterClient(o)
	default:
		o := t.single
		o.TLSConfig, o.DisableIdentity = secured(o.TLSConfig), true
		o.Dialer = redisDialer(o.DialTimeout, o.TLSConfig)
		return redis.NewClient(o)
	}
}

// redisParts is a parsed Redis URL. Unlike a URL of net/url it may name several hosts.
type redisParts struct {
	scheme   string
	hosts    []string
	user     string
	password string
	path     string // without the leading slash
	query    url.Values
	text     string
}

// redisProblem reports an invalid URL without quoting any of it: a password with an unescaped / or
// ? ends up in other parts of the URL, and the libraries' errors contain them.
func redisProblem(message, remedy string) error {
	return &Problem{envOf("RedisURL"), message, remedy}
}

const redisForms = "write redis://[user:password@]host:port/db, rediss:// for TLS, redis+sentinel://host:port,host:port/master?db=0, " +
	"redis+cluster://host:port,host:port, or embedded; percent-encode special characters of user and password"

func splitRedisURL(text string) (redisParts, error) {
	unreadable := redisProblem("cannot be read as a URL", redisForms)
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok {
		return redisParts{}, unreadable
	}
	end := strings.IndexAny(rest, "/?#")
	if end < 0 {
		end = len(rest)
	}
	authority, tail := rest[:end], rest[end:]
	at := strings.LastIndex(authority, "@")
	credentials, hosts := authority[:at+1], authority[at+1:]

	// net/url parses everything except the hosts.
	u, err := url.Parse(scheme + "://" + credentials + "host" + tail)
	if err != nil || u.Fragment != "" {
		return redisParts{}, unreadable
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return redisParts{}, unreadable
	}
	password, _ := u.User.Password()
	p := redisParts{
		scheme: strings.ToLower(scheme), user: u.User.Username(), password: password,
		path: strings.TrimPrefix(u.Path, "/"), query: query, text: text,
	}
	if hosts != "" {
		p.hosts = strings.Split(hosts, ",")
	}
	return p, nil
}

var redisSchemes = []string{"redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster"}

// parseRedisURL parses all forms except "embedded".
func parseRedisURL(text string) (redisTarget, error) {
	p, err := splitRedisURL(text)
	if err != nil {
		return redisTarget{}, err
	}
	switch p.scheme {
	case "redis", "rediss", "unix":
		return p.single()
	case "redis+sentinel", "rediss+sentinel":
		return p.sentinel()
	case "redis+cluster", "rediss+cluster":
		return p.cluster()
	default:
		return redisTarget{}, redisProblem("has an unknown scheme", redisForms)
	}
}

func (p redisParts) single() (redisTarget, error) {
	if len(p.hosts) > 1 {
		return redisTarget{}, redisProblem("names several hosts", "use redis+sentinel:// or redis+cluster:// for several hosts")
	}
	if p.scheme != "unix" {
		if _, err := p.addrs("6379"); err != nil {
			return redisTarget{}, err
		}
		if p.path != "" {
			if _, err := database(p.path); err != nil {
				return redisTarget{}, err
			}
		}
	}
	opts, err := redis.ParseURL(p.text)
	if err != nil {
		return redisTarget{}, redisProblem("has an unknown part or option", redisForms)
	}
	opts.ContextTimeoutEnabled = true
	opts.DialTimeout = cmp.Or(opts.DialTimeout, redisDialTimeout)
	opts.DialerRetries = redisDials
	opts.ReadTimeout = cmp.Or(opts.ReadTimeout, redisAnswerTimeout)
	opts.WriteTimeout = cmp.Or(opts.WriteTimeout, redisAnswerTimeout)
	opts.MaintNotificationsConfig = noMaintenanceNotes()
	return redisTarget{single: opts}, nil
}

func (p redisParts) sentinel() (redisTarget, error) {
	addrs, err := p.addrs("26379")
	if err != nil {
		return redisTarget{}, err
	}
	if p.path == "" || strings.Contains(p.path, "/") {
		return redisTarget{}, redisProblem("names no Sentinel master", "put its name after the hosts, as in redis+sentinel://h1:26379,h2:26379/mymaster?db=0")
	}
	if err := p.onlyOptions("db", "sentinel_username", "sentinel_password"); err != nil {
		return redisTarget{}, err
	}
	db, err := database(p.query.Get("db"))
	if err != nil {
		return redisTarget{}, err
	}
	return redisTarget{sentinel: &redis.FailoverOptions{
		MasterName:       p.path,
		SentinelAddrs:    addrs,
		SentinelUsername: p.query.Get("sentinel_username"),
		SentinelPassword: p.query.Get("sentinel_password"),
		Username:         p.user,
		Password:         p.password,
		DB:               db,
		DialTimeout:      redisDialTimeout,
		DialerRetries:    redisDials,
		ReadTimeout:      redisAnswerTimeout,
		WriteTimeout:     redisAnswerTimeout,
		TLSConfig:        p.tls(),

		ContextTimeoutEnabled: true,
	}}, nil
}

func (p redisParts) cluster() (redisTarget, error) {
	addrs, err := p.addrs("6379")
	if err != nil {
		return redisTarget{}, err
	}
	if p.path != "" && p.path != "0" {
		return redisTarget{}, redisProblem("names a database of a cluster", "remove it: a cluster has only database 0")
	}
	if err := p.onlyOptions(); err != nil {
		return redisTarget{}, err
	}
	return redisTarget{cluster: &redis.ClusterOptions{
		Addrs:         addrs,
		Username:      p.user,
		Password:      p.password,
		DialTimeout:   redisDialTimeout,
		DialerRetries: redisDials,
		ReadTimeout:   redisAnswerTimeout,
		WriteTimeout:  redisAnswerTimeout,
		TLSConfig:     p.tls(),

		ContextTimeoutEnabled:      true,
		ClusterStateReloadInterval: redisTopologyAge,
		MaintNotificationsConfig:   noMaintenanceNotes(),
	}}, nil
}

// noMaintenanceNotes avoids a command on each connection that only Redis Enterprise supports.
func noMaintenanceNotes() *maintnotifications.Config {
	return &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
}

func (p redisParts) tls() *tls.Config {
	if !strings.HasPrefix(p.scheme, "rediss") {
		return nil
	}
	return &tls.Config{MinVersion: tls.VersionTLS12}
}

// addrs returns the hosts with their ports.
func (p redisParts) addrs(defaultPort string) ([]string, error) {
	addrs := make([]string, 0, len(p.hosts))
	for _, host := range p.hosts {
		name, port, err := net.SplitHostPort(host)
		if err != nil { // no port, unless it is not a host at all
			name, port = strings.Trim(host, "[]"), defaultPort
		}
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65_535 || name == "" {
			return nil, redisProblem("has an invalid host or port", redisForms)
		}
		addrs = append(addrs, net.JoinHostPort(name, port))
	}
	if len(addrs) == 0 {
		return nil, redisProblem("names no host", redisForms)
	}
	return addrs, nil
}

func (p redisParts) onlyOptions(known ...string) error {
	for name := range p.query {
		if !slices.Contains(known, name) {
			remedy := "remove the query string"
			if len(known) > 0 {
				remedy = "the known options are: " + strings.Join(known, ", ")
			}
			return redisProblem("has an unknown option", remedy)
		}
	}
	return nil
}

func database(text string) (int, error) {
	if text == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 {
		return 0, redisProblem("has a database that is not a number", redisForms)
	}
	return n, nil
}
