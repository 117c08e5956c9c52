package api

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/seekout/icims-export/internal/prose"
)

// guards limit what callers use of this process. Each process has its own limits.
type guards struct {
	slots    slots       // for API requests
	pages    slots       // for pages of mounted handlers
	shares   *pageShares // shares of the pages
	keys     *keyLimits
	failures *failures
	known    *knownTokens
	proxies  []netip.Prefix
}

func newGuards(d Deps) (*guards, error) {
	g := &guards{
		slots:    make(slots, d.Settings.MaxRequests),
		pages:    make(slots, d.Settings.MaxRequests),
		shares:   newPageShares(d.Settings.MaxRequests),
		keys:     newKeyLimits(d.Settings, d.Now),
		failures: newFailures(d.Now),
		known:    newKnownTokens(d.Now),
	}
	for _, text := range d.Settings.TrustedProxies {
		network, err := parseNetwork(text)
		if err != nil {
			return nil, err
		}
		g.proxies = append(g.proxies, network)
	}
	return g, nil
}

// parseNetwork parses an address or a network, such as 10.0.0.7 or 10.0.0.0/8.
func parseNetwork(text string) (netip.Prefix, error) {
	if network, err := netip.ParsePrefix(text); err == nil {
		return network.Masked(), nil
	}
	address, err := netip.ParseAddr(text)
	if err != nil {
		return netip.Prefix{}, errors.New("is not an IP address or network")
	}
	return netip.PrefixFrom(address.Unmap(), address.Unmap().BitLen()), nil
}

// slots are the slots of concurrent requests.
type slots chan struct{}

func (p slots) enter() bool {
	select {
	case p <- struct{}{}:
		return true
	default:
		return false
	}
}

func (p slots) leave() { <-p }

// addressOf returns the address for counting anonymous requests: behind trusted proxies, the last
// address that is not one of them. For IPv6 it is the network, since one customer has all of its
// addresses.
func (g *guards) addressOf(r *http.Request) string {
	address, ok := peerOf(r)
	if !ok {
		return "unknown"
	}
	if g.trusted(address) {
		forwarded := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
		for i := len(forwarded) - 1; i >= 0 && g.trusted(address); i-- {
			before, err := netip.ParseAddr(strings.TrimSpace(forwarded[i]))
			if err != nil {
				break
			}
			address = before.Unmap().WithZone("")
		}
	}
	const network = 64
	if address.Is6() {
		if prefix, err := address.Prefix(network); err == nil {
			return prefix.String()
		}
	}
	return address.String()
}

// peerOf returns the address of a request's connection.
func peerOf(r *http.Request) (netip.Addr, bool) {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	address, err := netip.ParseAddr(host)
	return address.Unmap().WithZone(""), err == nil
}

// trustsPeer reports whether the connection comes from a trusted proxy.
func (g *guards) trustsPeer(r *http.Request) bool {
	address, ok := peerOf(r)
	return ok && g.trusted(address)
}

func (g *guards) trusted(address netip.Addr) bool {
	for _, network := range g.proxies {
		if network.Contains(address) {
			return true
		}
	}
	return false
}

// keyLimits limit the requests of each API key, and the uploads of all keys together.
type keyLimits struct {
	now     func() time.Time
	rate    rate.Limit
	burst   int
	open    int
	uploads int // per key
	most    int // of all keys

	mu        sync.Mutex
	keys      map[string]*keyLimit
	uploading int
}

type keyLimit struct {
	limiter *rate.Limiter
	open    int
	uploads int // of these
}

const keptKeyLimits = 10_000

func newKeyLimits(s Settings, now func() time.Time) *keyLimits {
	const share = 4
	open := max(1, s.MaxRequests/share)
	// One slot is reserved for requests other than uploads.
	most := min(s.Uploads, max(1, s.MaxRequests-1))
	return &keyLimits{
		now: now, rate: rate.Limit(s.KeyRate), burst: s.KeyBurst, open: open, uploads: min(s.KeyUploads, max(1, open-1), max(1, most/share)),
		most: most, keys: map[string]*keyLimit{},
	}
}

// uploadWait is the Retry-After of an upload: most of them take a while.
const uploadWait = 5 * time.Second

// admit admits a request, or returns the problem with its Retry-After.
func (l *keyLimits) admit(key string, upload bool) (leave func(), refused *Problem) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	k := l.keys[key]
	if k == nil {
		l.forget(now)
		k = &keyLimit{limiter: rate.NewLimiter(l.rate, l.burst)}
		l.keys[key] = k
	}
	switch {
	case upload && k.uploads >= l.uploads:
		return nil, newProblem(CodeRateLimited, fmt.Sprintf("The key has %s in progress, which is the limit.", prose.Plural(k.uploads, "upload"))).after(uploadWait)
	case upload && l.uploading >= l.most:
		return nil, newProblem(CodeBusy, fmt.Sprintf("All API keys together have %s under way, which is as many as there may be at the same time.", prose.Plural(l.uploading, "upload"))).after(uploadWait)
	case k.open >= l.open:
		return nil, newProblem(CodeRateLimited, "").after(time.Second)
	}
	if !k.limiter.AllowN(now, 1) {
		missing := 1 - k.limiter.TokensAt(now)
		return nil, newProblem(CodeRateLimited, "").after(time.Duration(math.Ceil(missing / float64(l.rate) * float64(time.Second))))
	}
	l.count(k, upload, 1)
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.count(k, upload, -1)
	}, nil
}

// count adds requests, or removes them. l.mu is held.
func (l *keyLimits) count(k *keyLimit, upload bool, n int) {
	k.open += n
	if upload {
		k.uploads += n
		l.uploading += n
	}
}

// forget drops limits that are not in use. l.mu is held.
func (l *keyLimits) forget(now time.Time) {
	if len(l.keys) < keptKeyLimits {
		return
	}
	for key, k := range l.keys {
		if k.open == 0 && k.limiter.TokensAt(now) >= float64(l.burst) {
			delete(l.keys, key)
		}
	}
}

// failures count requests without a valid key by address.
type failures struct {
	now func() time.Time

	mu        sync.Mutex
	addresses map[string]*rate.Limiter
}

const (
	// failuresAtOnce is the burst per address; after that, one per failureEach is allowed.
	failuresAtOnce = 20
	failureEach    = 5 * time.Second
	keptAddresses  = 50_000
)

func newFailures(now func() time.Time) *failures {
	return &failures{now: now, addresses: map[string]*rate.Limiter{}}
}

// closed returns how long the address must wait; 0 if it need not.
func (f *failures) closed(address string) time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	l, now := f.addresses[address], f.now()
	if l == nil || l.TokensAt(now) >= 1 {
		return 0
	}
	return time.Duration((1 - l.TokensAt(now)) * float64(failureEach))
}

// count counts a failure. It reports whether the address must wait from now on.
func (f *failures) count(address string) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	l, now := f.addresses[address], f.now()
	if l == nil {
		f.forget(now)
		l = rate.NewLimiter(rate.Every(failureEach), failuresAtOnce)
		f.addresses[address] = l
	}
	return l.AllowN(now, 1) && l.TokensAt(now) < 1
}

// forget removes old entries. If that is not enough, it removes addresses that must still wait.
// f.mu is held.
func (f *failures) forget(now time.Time) {
	if len(f.addresses) < keptAddresses {
		return
	}
	for address, l := range f.addresses {
		if l.TokensAt(now) >= failuresAtOnce {
			delete(f.addresses, address)
		}
	}
	for address := range f.addresses {
		if len(f.addresses) < keptAddresses {
			return
		}
		delete(f.addresses, address)
	}
}

// knownTokens remembers hashes of recently valid keys.
type knownTokens struct {
	now func() time.Time

	mu   sync.Mutex
	good map[[sha256.Size]byte]time.Time
}

const (
	knownFor    = 10 * time.Minute
	knownTokenN = 10_000
)

func newKnownTokens(now func() time.Time) *knownTokens {
	return &knownTokens{now: now, good: map[[sha256.Size]byte]time.Time{}}
}

func (k *knownTokens) has(token string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	at, ok := k.good[sha256.Sum256([]byte(token))]
	return ok && k.now().Sub(at) < knownFor
}

func (k *knownTokens) add(token string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := k.now()
	if len(k.good) >= knownTokenN {
		for hash, at := range k.good {
			if now.Sub(at) >= knownFor {
				delete(k.good, hash)
			}
		}
		if len(k.good) >= knownTokenN {
			clear(k.good)
		}
	}
	k.good[sha256.Sum256([]byte(token))] = now
}

func (k *knownTokens) remove(token string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.good, sha256.Sum256([]byte(token)))
}
