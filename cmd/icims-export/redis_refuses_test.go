package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/store/redistest"
)

// tlsRedis starts a Redis with a TLS port, and returns the port's address and the CA file.
func tlsRedis(t *testing.T, options ...redistest.Option) (addr, authority string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "redis"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	write := func(name, kind string, data []byte) string {
		file := filepath.Join(folder, name)
		if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: data}), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	authority = write("cert.pem", "CERTIFICATE", der)
	addr = freeAddress(t)
	_, port, _ := net.SplitHostPort(addr)
	redistest.Start(t, append(options, redistest.Config("tls-port", port), redistest.Config("tls-cert-file", authority),
		redistest.Config("tls-key-file", write("key.pem", "PRIVATE KEY", private)), redistest.Config("tls-ca-cert-file", authority))...)
	return addr, authority
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// proxied returns the address of a proxy that connects from 127.0.0.2, which Redis treats as
// another machine.
func proxied(t *testing.T, addr string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, 2)}}
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer in.Close()
				out, err := dialer.Dial("tcp", addr)
				if err != nil {
					return
				}
				defer out.Close()
				go func() { _, _ = out.(*net.TCPConn).ReadFrom(in) }()
				_, _ = in.(*net.TCPConn).ReadFrom(out)
			}()
		}
	}()
	return l.Addr().String()
}

// sentinel starts a Sentinel that monitors a Redis as mymaster.
func sentinel(t *testing.T, watched string) string {
	t.Helper()
	addr := freeAddress(t)
	_, port, _ := net.SplitHostPort(addr)
	host, watchedPort, _ := net.SplitHostPort(watched)
	file := filepath.Join(t.TempDir(), "sentinel.conf")
	conf := "bind 127.0.0.1\nport " + port + "\nsentinel monitor mymaster " + host + " " + watchedPort + " 1\n"
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	process := exec.Command("redis-server", file, "--sentinel")
	if err := process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = process.Process.Kill()
		_ = process.Wait()
	})
	client := redis.NewSentinelClient(&redis.Options{Addr: addr})
	t.Cleanup(func() { _ = client.Close() })
	for deadline := time.Now().Add(20 * time.Second); client.Ping(t.Context()).Err() != nil; {
		if time.Now().After(deadline) {
			t.Fatal("the Sentinel does not answer")
		}
	}
	return addr
}

// If a command cannot use Redis, it prints Redis's message and the remedy.
func TestWhyRedisCannotBeUsed(t *testing.T) {
	t.Parallel()
	plain := redistest.Start(t, redistest.Config("databases", "16"))
	started := func(options ...redistest.Option) string { return redistest.Start(t, options...).Addr() }
	tlsOnly, _ := tlsRedis(t, redistest.Config("tls-auth-clients", "no"))
	full := redistest.Start(t)
	if err := full.Client(t).ConfigSet(t.Context(), "maxclients", "1").Err(); err != nil {
		t.Fatal(err)
	}
	locked := redistest.Start(t)
	if err := locked.Client(t).ConfigSet(t.Context(), "requirepass", "right").Err(); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		url  string
		says []string
	}{
		"nothing listens":       {"redis://127.0.0.1:1", []string{"Redis cannot be reached", "connection refused", "Start Redis", "run the command again"}},
		"wrong database":        {"redis://" + plain.Addr() + "/99", []string{"no database with this number", "DB index is out of range", "ICIMS_EXPORT_REDIS_URL"}},
		"no password":           {"redis://" + locked.Addr(), []string{"refuses the user name or password", "NOAUTH"}},
		"wrong password":        {"redis://:wrong-one@" + locked.Addr(), []string{"refuses the user name or password", "WRONGPASS"}},
		"no connections left":   {"redis://" + full.Addr(), []string{"no connections left", "max number of clients reached", "maxclients"}},
		"protected mode":        {"redis://" + proxied(t, started()), []string{"protected mode", "DENIED", "Set a password"}},
		"plain URL, TLS port":   {"redis://" + tlsOnly, []string{"closes the connection without a response", "rediss://"}},
		"TLS URL, plain port":   {"rediss://" + plain.Addr(), []string{"does not use TLS on this port", "redis:// instead of rediss://"}},
		"unknown authority":     {"rediss://" + tlsOnly, []string{"unknown authority", "ICIMS_EXPORT_REDIS_CA_FILE"}},
		"unknown master":        {"redis+sentinel://" + sentinel(t, plain.Addr()) + "/nomaster", []string{"Sentinel knows no master with this name", "SENTINEL MASTERS"}},
		"no Sentinel":           {"redis+sentinel://" + plain.Addr() + "/mymaster", []string{"not of the kind", "unknown command 'sentinel'", "redis+sentinel://"}},
		"no cluster":            {"redis+cluster://" + plain.Addr(), []string{"not of the kind", "cluster support disabled"}},
		"SMEMBERS is disabled":  {"redis://" + started(redistest.Config("rename-command", `SMEMBERS ""`)), []string{"unknown to Redis or disabled", "unknown command 'smembers'", "docs/redis.md"}},
		"a node of a cluster":   {"redis://" + redistest.StartCluster(t, 3).Addrs()[0], []string{"not of the kind", "MOVED", "redis+cluster://"}},
		"the user may not read": {"redis://" + started(redistest.Config("user", "default on nopass ~other:* &* +@all")), []string{"user lacks rights", "NOPERM"}},
	} {
		t.Run(name, func(t *testing.T) {
			r := call(t, "lanes", "--all", "--redis-url="+c.url)
			r.wantStatus(t, statusFailed)
			r.wantNone(t, "wrong-one")
			for _, text := range c.says {
				if !strings.Contains(r.errors, text) {
					t.Errorf("%q is missing in %q", text, r.errors)
				}
			}
			if strings.Contains(r.errors, "with args beginning with") {
				t.Errorf("values of a command are in %q", r.errors)
			}
		})
	}
}

// If Redis refuses writes, commands print Redis's message and the remedy, and do not ask for
// workers.
func TestWhyRedisRefusesWrites(t *testing.T) {
	t.Parallel()
	for _, refusal := range redistest.Refusals() {
		t.Run(refusal.Name, func(t *testing.T) {
			server := refusal.Start(t)
			w := newWardOn(t, server)
			batch, _ := w.accept("1234", 1709, 0, 3)
			refusal.Begin(t, server)
			input := w.file(t, "candidates.jsonl", `{"id":"c-1","first_name":"Ana","last_name":"Duarte","email":"ana@example.com"}`+"\n")
			for _, args := range [][]string{{"lanes"}, {"lanes", "1234"}, {"lanes", "--json"}, {"status", string(batch)}, {"audit"}, {"export", input, "--customer=1234", "--job=1709", "--dry-run"}} {
				r := w.call(args...)
				// status exits with the batch's status, and audit cannot read when the memory is
				// full.
				if args[0] != "status" && args[0] != "audit" {
					r.wantStatus(t, statusDone)
				}
				namesRefusal(t, refusal, args[0], r.out+r.errors)
			}
			for _, args := range [][]string{{"verify", "1234", "--no-test-candidate"}, {"apikeys", "new", "--name=me", "--scope=read", "--all-customers"}} {
				r := w.call(args...)
				r.wantStatus(t, statusFailed)
				if !strings.Contains(r.errors, "the Redis user default lacks rights") { // TestCommandsNameMissingRights
					namesRefusal(t, refusal, args[0], r.errors)
				}
			}
		})
	}
}

// namesRefusal checks for Redis's message, the cause and the remedy, and for nothing misleading.
func namesRefusal(t *testing.T, refusal redistest.Refusal, who, said string) {
	t.Helper()
	flat := strings.NewReplacer(`\u003c`, "<", `\u003e`, ">").Replace(strings.Join(strings.Fields(said), " "))
	if missing := refusal.Missing(flat); len(missing) > 0 {
		t.Errorf("%s: %q are missing in %q", who, missing, said)
	}
	for _, text := range []string{"start one", "Start one", "with args beginning with"} {
		if strings.Contains(said, text) {
			t.Errorf("%s says what is no help: %q", who, said)
		}
	}
}

// Redis's certificate may be from a private CA.
func TestRedisAuthorityFile(t *testing.T) {
	t.Parallel()
	addr, authority := tlsRedis(t, redistest.Config("tls-auth-clients", "no"))
	onTLS := "--redis-url=rediss://" + addr
	call(t, "lanes", onTLS, "--redis-ca-file="+authority).wantStatus(t, statusDone)
	for name, c := range map[string]struct {
		args []string
		says string
	}{
		"a file that is not there":    {[]string{onTLS, "--redis-ca-file=" + authority + "x"}, "ICIMS_EXPORT_REDIS_CA_FILE cannot be read"},
		"a file without certificates": {[]string{onTLS, "--redis-ca-file=redis_refuses_test.go"}, "ICIMS_EXPORT_REDIS_CA_FILE contains no certificate"},
		"a URL without TLS":           {[]string{"--redis-url=redis://" + addr, "--redis-ca-file=" + authority}, "does not use TLS"},
	} {
		t.Run(name, func(t *testing.T) {
			r := call(t, append([]string{"lanes"}, c.args...)...)
			r.wantStatus(t, statusUsage)
			if !strings.Contains(r.errors, c.says) {
				t.Errorf("%q is missing in %q", c.says, r.errors)
			}
		})
	}
	strict, authority := tlsRedis(t)
	if r := call(t, "lanes", "--redis-url=rediss://"+strict, "--redis-ca-file="+authority); !strings.Contains(r.errors, "asks for a client certificate") {
		t.Errorf("a Redis that wants a certificate of its clients: %q", r.errors)
	}
}

// Some services forbid commands that icims-export can do without.
func TestRedisWithoutSomeCommands(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"CLIENT", "CONFIG", "INFO", "MEMORY", "HELLO"} {
		t.Run(command, func(t *testing.T) {
			server := redistest.Start(t, redistest.Config("rename-command", command+` ""`))
			r := call(t, "lanes", "--redis-url=redis://"+server.Addr())
			r.wantStatus(t, statusDone)
		})
	}
}
