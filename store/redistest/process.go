package redistest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/internal/child"
)

const (
	loopback = "127.0.0.1"
	// startLimit is generous because test machines are often busy compiling the next package.
	startLimit = 30 * time.Second
	// portTries limits how many ports are tried, since a free port may be taken before the server
	// uses it.
	portTries = 5
)

// errNoBinary is the error on a machine without Redis.
var errNoBinary = errors.New("redis-server is not on the PATH: these tests need a real one; " +
	"run them with `make test`, which gets it, or install it (Debian and Ubuntu: apt-get install redis-server, macOS: brew install redis)")

// process is one redis-server. It keeps its directory and port across restarts.
type process struct {
	dir      string
	port     int
	settings []string

	cmd  *exec.Cmd
	done <-chan struct{} // closed when the child has ended
}

// launch starts a server in a new temporary directory on a port of child.FreePort, which stays
// reserved while the server is killed and restarted.
func launch(settings []string) (*process, error) {
	dir, err := os.MkdirTemp("", "redistest-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for redis-server: %w", err)
	}
	var last error
	for range portTries {
		port, err := child.FreePort()
		if err != nil {
			last = err
			break
		}
		p := &process{dir: dir, port: port, settings: settings}
		if last = p.start(); last == nil {
			return p, nil
		}
		p.kill()
		if !strings.Contains(p.logTail(), "in use") {
			break
		}
	}
	_ = os.RemoveAll(dir)
	return nil, last
}

func (p *process) addr() string { return net.JoinHostPort(loopback, strconv.Itoa(p.port)) }

func (p *process) dumpFile() string { return filepath.Join(p.dir, "dump.rdb") }

func (p *process) logFile() string { return filepath.Join(p.dir, "redis.log") }

// start runs the server and returns once it answers PING, after it has loaded its data.
func (p *process) start() error {
	binary, err := exec.LookPath("redis-server")
	if err != nil {
		return errNoBinary
	}
	conf := append([]string{
		"bind " + loopback,
		"port " + strconv.Itoa(p.port),
		`dir "` + p.dir + `"`,
		"daemonize no",
	}, p.settings...)
	file := filepath.Join(p.dir, "redis.conf")
	if err := os.WriteFile(file, []byte(strings.Join(conf, "\n")+"\n"), 0o600); err != nil {
		return fmt.Errorf("write redis.conf: %w", err)
	}
	log, err := os.OpenFile(p.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("open redis-server's log: %w", err)
	}
	defer log.Close()

	p.cmd = exec.Command(binary, file)
	p.cmd.Dir = p.dir
	// A file instead of a buffer: exec then needs no copying goroutine.
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = dieWithParent()
	if p.done, err = spawn(p.cmd); err != nil {
		return fmt.Errorf("start redis-server: %w", err)
	}
	return p.waitReady()
}

func (p *process) waitReady() error {
	client := newClient(p.addr(), 0)
	defer client.Close()
	return poll(func(ctx context.Context) error {
		select {
		case <-p.done:
			return permanent{fmt.Errorf("redis-server ended instead of starting; the end of its log:\n%s", p.logTail())}
		default:
			return client.Ping(ctx).Err()
		}
	})
}

// kill ends the child with SIGKILL and waits for it.
func (p *process) kill() {
	if p.done == nil {
		return
	}
	_ = p.cmd.Process.Kill() // only fails if the child has already ended
	<-p.done
}

// remove kills the child and deletes its directory.
func (p *process) remove() error {
	p.kill()
	return os.RemoveAll(p.dir)
}

func (p *process) logTail() string {
	const most = 2000
	log, err := os.ReadFile(p.logFile())
	if err != nil {
		return err.Error()
	}
	return string(log[max(0, len(log)-most):])
}

// spawn starts the command on a thread that lives as long as the child: Linux sends the
// parent-death signal when the starting thread ends, and Go may end threads.
func spawn(cmd *exec.Cmd) (<-chan struct{}, error) {
	started := make(chan error, 1)
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // ignore the status: tests kill it
		}
	}()
	if err := <-started; err != nil {
		<-done
		return nil, err
	}
	return done, nil
}

// permanent is an error that ends a poll immediately.
type permanent struct{ error }

func (p permanent) Unwrap() error { return p.error }

// poll calls ready with growing pauses until it succeeds, returns a permanent error, or startLimit
// is over.
func poll(ready func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	for pause := 2 * time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		err := ready(ctx)
		if err == nil {
			return nil
		}
		if stop := (permanent{}); errors.As(err, &stop) {
			return stop.error
		}
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("not ready within %s: %w", startLimit, err)
		case <-timer.C:
		}
	}
}

func newClient(addr string, db int) *redis.Client {
	return redis.NewClient(&redis.Options{Addr: addr, DB: db, ContextTimeoutEnabled: true, DialerRetries: 2})
}
