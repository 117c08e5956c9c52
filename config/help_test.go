package config_test

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"github.com/alecthomas/kong"

	"github.com/seekout/icims-export/config"
)

func TestHelp(t *testing.T) {
	t.Setenv("ICIMS_EXPORT_REDIS_URL", "redis://u:hunter2@127.0.0.1/0")
	var (
		cli grammar
		out bytes.Buffer
	)
	// Kong asks to exit after --help and continues if it may not.
	k, err := kong.New(&cli, append(config.Options(), kong.Writers(&out, io.Discard), kong.Exit(func(int) {}))...)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = k.Parse([]string{"worker", "--help"})
	t.Run("it names each setting's environment variable", func(t *testing.T) {
		text := strings.Join(strings.Fields(out.String()), " ")
		for _, s := range config.AllSettings() {
			if !strings.Contains(text, "$"+s.Env) {
				t.Errorf("%s is missing", s.Env)
			}
		}
	})
	t.Run("it shows no value of the environment", func(t *testing.T) {
		if strings.Contains(out.String(), "hunter2") {
			t.Error("the password is in the help")
		}
	})
}

func TestWrongEnvironmentIsNotHiddenByTheFile(t *testing.T) {
	t.Setenv("ICIMS_EXPORT_LEASE", "soon")
	_, err := parse(t, "--config="+file(t, "lease: 2m\n"))
	if err == nil || !strings.Contains(err.Error(), `"soon" is not a duration`) || !strings.Contains(err.Error(), "ICIMS_EXPORT_LEASE") {
		t.Errorf("got %v", err)
	}
}
