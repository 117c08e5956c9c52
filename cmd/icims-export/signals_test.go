package main

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/alicebob/miniredis/v2"
)

// started is the command in a separate process.
type started struct {
	*exec.Cmd

	lines *bufio.Scanner
}

func startCommand(t *testing.T, args ...string) *started {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], args...)
	cmd.Env = append(os.Environ(), asCommand+"=1")
	stderr, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return &started{cmd, bufio.NewScanner(stderr)}
}

// until reads stderr until a line contains the text.
func (s *started) until(t *testing.T, text string) {
	t.Helper()
	for s.lines.Scan() {
		if strings.Contains(s.lines.Text(), text) {
			return
		}
	}
	t.Fatalf("it ended without saying %q", text)
}

func (s *started) signal(t *testing.T, sig os.Signal) {
	t.Helper()
	if err := s.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
}

func (s *started) wantEnd(t *testing.T) {
	t.Helper()
	for s.lines.Scan() {
	}
	if err := s.Wait(); err != nil {
		t.Errorf("it ended with %v", err)
	}
}

func TestSignals(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("starts processes")
	}
	t.Run("a worker reads its connections again on SIGHUP and ends in order on SIGTERM", func(t *testing.T) {
		b := newBench(t)
		w := startCommand(t, b.shared(miniredis.RunT(t), "worker")...)
		w.until(t, "worker started")
		w.signal(t, syscall.SIGHUP)
		w.until(t, "connections reloaded")
		w.signal(t, syscall.SIGTERM)
		w.until(t, "worker stopped")
		w.wantEnd(t)
	})
	t.Run("SIGHUP is received before anything else is initialized", func(t *testing.T) {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "version")
		cmd.Env = append(os.Environ(), asCommand+"=1", "GODEBUG=inittrace=1")
		trace, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, trace)
		}
		const module = "init github.com/seekout/icims-export/"
		_, after, found := strings.Cut(string(trace), module+"internal/hangup ")
		if !found {
			t.Fatalf("internal/hangup is not initialized:\n%s", trace)
		}
		for _, later := range []string{"store", "icims", "tasks", "worker", "api"} {
			if !strings.Contains(after, module+later+" ") {
				t.Errorf("%s is initialized before SIGHUP is received", later)
			}
		}
	})
	t.Run("other commands end with SIGHUP, as when their terminal is closed", func(t *testing.T) {
		s := startCommand(t, "sim", "--listen=127.0.0.1:0")
		s.until(t, "Inspect it")
		s.signal(t, syscall.SIGHUP)
		for s.lines.Scan() {
		}
		var ended *exec.ExitError
		if err := s.Wait(); !errors.As(err, &ended) || ended.Sys().(syscall.WaitStatus).Signal() != syscall.SIGHUP {
			t.Errorf("it ended with %v", err)
		}
	})
	t.Run("the simulator ends in order on SIGINT", func(t *testing.T) {
		s := startCommand(t, "sim", "--listen=127.0.0.1:0")
		s.until(t, "Inspect it")
		s.signal(t, os.Interrupt)
		s.until(t, "Stopped after 0 calls")
		s.wantEnd(t)
	})
}
