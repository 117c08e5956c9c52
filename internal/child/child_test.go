package child

import (
	"bufio"
	"errors"
	"os/exec"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// start runs a script and waits until it is ready.
func start(t *testing.T, script string) *Process {
	t.Helper()
	cmd := exec.Command("sh", "-c", script)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p, err := Start("sh", cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	if line, err := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		t.Fatalf("it said %q, %v", line, err)
	}
	return p
}

func TestProcess(t *testing.T) {
	t.Run("it runs until it is killed", func(t *testing.T) {
		p := start(t, "echo ready; exec sleep 600")
		if !p.Running() || syscall.Kill(p.PID(), 0) != nil {
			t.Error("it does not run")
		}
		p.Kill()
		if ended := new(exec.ExitError); p.Running() || !errors.As(p.Err(), &ended) {
			t.Errorf("after its end: running %v, %v", p.Running(), p.Err())
		}
	})
	t.Run("one that stops when asked is not killed", func(t *testing.T) {
		p := start(t, "trap 'exit 0' TERM; echo ready; while :; do sleep 0.01; done")
		if err := p.Stop(time.Minute); err != nil {
			t.Errorf("got %v", err)
		}
	})
	t.Run("one that does not is", func(t *testing.T) {
		p := start(t, "trap '' TERM; echo ready; while :; do sleep 0.01; done")
		if err := p.Stop(time.Millisecond); !errors.Is(err, ErrStubborn) || p.Running() {
			t.Errorf("got %v, running %v", err, p.Running())
		}
	})
	t.Run("one that does not exist is not started", func(t *testing.T) {
		if _, err := Start("nobody", exec.Command("/nowhere/nobody")); err == nil {
			t.Error("no error")
		}
	})
}
