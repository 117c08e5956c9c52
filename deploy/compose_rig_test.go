package deploy

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seekout/icims-export/internal/child"
)

// stack runs the services of docker-compose.yml as local processes, with the same commands,
// variables, files and health checks, in the same order. It replaces only what containers isolate:
// service names and ports become free local ports, and volumes become folders.
type stack struct {
	t       *testing.T
	file    composeFile
	dir     string
	program string
	names   *regexp.Regexp
	// copies are the instances of each service, in start order.
	copies  map[string][]*instance
	started []*instance
}

// instance represents one container.
type instance struct {
	stack   *stack
	name    string // worker-2
	service service
	ports   map[string]string // local addresses by container port
	process *child.Process
}

func newStack(t *testing.T, file composeFile) *stack {
	t.Helper()
	s := &stack{t: t, file: file, dir: t.TempDir(), copies: map[string][]*instance{}}
	var err error
	if s.program, err = child.Build(t.Context(), s.dir); err != nil {
		t.Fatal(err)
	}
	s.names = regexp.MustCompile(`(?:\b(` + strings.Join(slices.Sorted(maps.Keys(file.Services)), "|") + `)|127\.0\.0\.1|0\.0\.0\.0|^):(\d+)\b`)
	for volume := range file.Volumes {
		if err := os.MkdirAll(filepath.Join(s.dir, "volumes", volume), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		for _, i := range s.started {
			i.process.Kill()
			if t.Failed() {
				t.Logf("%s said:\n%s", i.name, i.log())
			}
		}
	})
	return s
}

// newInstance returns an instance of a service that is not started yet.
func (s *stack) newInstance(name string, of service) *instance {
	return &instance{stack: s, name: name, service: of, ports: map[string]string{}}
}

// at returns the local address for a port of the instance.
func (i *instance) at(port string) string {
	i.stack.t.Helper()
	if i.ports[port] == "" {
		address, err := child.FreeAddr()
		if err != nil {
			i.stack.t.Fatal(err)
		}
		i.ports[port] = address
	}
	return i.ports[port]
}

// here translates a text of the file to this machine.
func (i *instance) here(text string) string {
	i.stack.t.Helper()
	for at, volume := range i.service.mounts() {
		if inside, ok := strings.CutPrefix(text, at+"/"); ok {
			return filepath.Join(i.stack.dir, "volumes", volume, inside)
		}
	}
	if regexp.MustCompile(`^\d{4,5}$`).MatchString(text) {
		_, port, _ := net.SplitHostPort(i.at(text))
		return port
	}
	return i.stack.names.ReplaceAllStringFunc(text, func(found string) string {
		parts := i.stack.names.FindStringSubmatch(found)
		if parts[1] == "" {
			return i.at(parts[2])
		}
		return i.stack.first(parts[1]).at(parts[2])
	})
}

// first returns the instance that a service's name resolves to.
func (s *stack) first(name string) *instance {
	s.t.Helper()
	if len(s.copies[name]) == 0 {
		s.t.Fatalf("%s is named, but not started", name)
	}
	return s.copies[name][0]
}

// command returns a command of the instance's image with its variables.
func (i *instance) command(ctx context.Context, args ...string) *exec.Cmd {
	i.stack.t.Helper()
	for n := range args {
		args[n] = i.here(args[n])
	}
	if args[0] == "/icims-export" {
		args[0] = i.stack.program
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	for name, value := range i.service.Environment {
		cmd.Env = append(cmd.Env, name+"="+i.here(value))
	}
	cmd.Dir = i.stack.dir
	if data := i.service.mounts()["/data"]; data != "" { // the working directory of Redis's image
		cmd.Dir = filepath.Join(i.stack.dir, "volumes", data)
	}
	return cmd
}

// own returns the service's command, including the image's entrypoint.
func (i *instance) own(args ...string) []string {
	if i.service.Build != "" {
		return append([]string{"/icims-export"}, args...)
	}
	return slices.Clone(args)
}

func (i *instance) start() {
	t := i.stack.t
	t.Helper()
	log, err := child.LogFile(i.stack.dir, i.name)
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := i.command(context.WithoutCancel(t.Context()), i.own(i.service.Command...)...)
	if cmd.Args[0] == "redis-server" {
		cmd.Args = append(cmd.Args, "--bind", "127.0.0.1") // a container has its own addresses
	}
	cmd.Stdout, cmd.Stderr = log, log
	if i.process, err = child.Start(i.name, cmd); err != nil {
		t.Fatal(err)
	}
	i.stack.started = append(i.stack.started, i)
}

func (i *instance) log() string {
	text, err := os.ReadFile(filepath.Join(i.stack.dir, i.name+".log"))
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// up starts all services of the profiles, each after its dependencies, and returns when all are
// healthy.
func (s *stack) up(profiles []string) {
	s.t.Helper()
	for name, of := range s.file.Services {
		if !of.chosen(profiles) {
			continue
		}
		for n := range max(1, of.Deploy.Replicas) {
			s.copies[name] = append(s.copies[name], s.newInstance(fmt.Sprintf("%s-%d", name, n+1), of))
		}
	}
	waiting := slices.Sorted(maps.Keys(s.copies))
	for len(waiting) > 0 {
		next := slices.IndexFunc(waiting, func(name string) bool {
			for other := range s.file.Services[name].DependsOn {
				if slices.Contains(waiting, other) {
					return false
				}
			}
			return true
		})
		if next < 0 {
			s.t.Fatalf("%q wait for each other", waiting)
		}
		name := waiting[next]
		for other, on := range s.file.Services[name].DependsOn {
			for _, i := range s.copies[other] {
				i.await(on.Condition)
			}
		}
		for _, i := range s.copies[name] {
			i.start()
		}
		waiting = slices.Delete(waiting, next, next+1)
	}
	for _, i := range s.started {
		if i.service.runs() {
			i.await("service_healthy")
		}
	}
}

// await waits for a condition of depends_on.
func (i *instance) await(condition string) {
	t := i.stack.t
	t.Helper()
	if condition == "service_completed_successfully" {
		if err := i.process.Err(); err != nil {
			t.Fatalf("%s ended with %v:\n%s", i.name, err, i.log())
		}
		return
	}
	const look = 50 * time.Millisecond
	ctx, cancel := context.WithTimeout(t.Context(), i.service.Healthcheck.patience())
	defer cancel()
	tick := time.NewTicker(look)
	defer tick.Stop()
	for {
		out, err := i.healthy(ctx)
		if err == nil {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("%s is not healthy (%v): %s\n%s", i.name, err, out, i.log())
		case <-i.process.Done():
			t.Fatalf("%s has ended:\n%s", i.name, i.log())
		case <-tick.C:
		}
	}
}

// healthy runs the health check.
func (i *instance) healthy(ctx context.Context) (string, error) {
	i.stack.t.Helper()
	ctx, cancel := context.WithTimeout(ctx, time.Duration(i.service.Healthcheck.Timeout))
	defer cancel()
	out, err := i.command(ctx, slices.Clone(i.service.Healthcheck.Test[1:])...).CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) {
		i.stack.t.Fatalf("%v: it comes with redis-server", err)
	}
	return string(out), err
}

// run runs a command like docker compose run and returns its output.
func (s *stack) run(name string, args ...string) string {
	s.t.Helper()
	of, ok := s.file.Services[name]
	if !ok {
		s.t.Fatalf("there is no service %s", name)
	}
	i := s.newInstance(name+"-run", of)
	cmd := i.command(s.t.Context(), i.own(args...)...)
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		s.t.Fatalf("%s %q: %v\n%s", name, args, err, said.String())
	}
	return string(out)
}

// down stops everything within the stop grace periods, last started first.
func (s *stack) down() {
	s.t.Helper()
	const usual = 10 * time.Second
	for _, i := range slices.Backward(s.started) {
		grace := time.Duration(i.service.StopGracePeriod)
		if grace == 0 {
			grace = usual
		}
		if err := i.process.Stop(grace); err != nil {
			s.t.Errorf("%s ended with %v:\n%s", i.name, err, i.log())
		}
	}
}
