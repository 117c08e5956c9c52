package config_test

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/google/go-cmp/cmp"

	"github.com/seekout/icims-export/config"
)

// composeFile is what these tests look at in docker-compose.yml.
type composeFile struct {
	Services map[string]struct {
		Image       string            `yaml:"image"`
		Command     []string          `yaml:"command"`
		Profiles    []string          `yaml:"profiles"`
		Ports       []string          `yaml:"ports"`
		Environment map[string]string `yaml:"environment"`
		Secrets     []string          `yaml:"secrets"`
		Volumes     []string          `yaml:"volumes"`
		DependsOn   map[string]struct {
			Condition string `yaml:"condition"`
		} `yaml:"depends_on"`
		Healthcheck struct {
			Test []string `yaml:"test"`
		} `yaml:"healthcheck"`
		StopGracePeriod string `yaml:"stop_grace_period"`
	} `yaml:"services"`
	Secrets map[string]struct {
		File string `yaml:"file"`
	} `yaml:"secrets"`
	Volumes map[string]any `yaml:"volumes"`
}

func compose(t *testing.T) (composeFile, string) {
	t.Helper()
	text, err := os.ReadFile("../docker-compose.yml")
	if err != nil {
		t.Fatal(err)
	}
	var c composeFile
	if err := yaml.Unmarshal(text, &c); err != nil {
		t.Fatal(err)
	}
	return c, string(text)
}

func TestCompose(t *testing.T) {
	c, text := compose(t)
	redis, worker, simulator := c.Services["redis"], c.Services["worker"], c.Services["simulator"]

	t.Run("Redis keeps what it is told and evicts nothing", func(t *testing.T) {
		command := strings.Join(redis.Command, " ")
		for _, flags := range []string{"--appendonly yes", "--maxmemory-policy noeviction"} {
			if !strings.Contains(command, flags) {
				t.Errorf("%q lacks %s", command, flags)
			}
		}
		if !slices.Contains(redis.Volumes, "redis:/data") {
			t.Errorf("its data are in no volume: %q", redis.Volumes)
		}
		if _, ok := c.Volumes["redis"]; !ok {
			t.Error("the volume redis is not declared")
		}
	})
	t.Run("the worker waits for a healthy Redis", func(t *testing.T) {
		if worker.DependsOn["redis"].Condition != "service_healthy" || len(redis.Healthcheck.Test) == 0 {
			t.Errorf("condition %q, health check %q", worker.DependsOn["redis"].Condition, redis.Healthcheck.Test)
		}
	})
	t.Run("nothing listens beyond this machine", func(t *testing.T) {
		for name, service := range c.Services {
			for _, port := range service.Ports {
				if !strings.HasPrefix(port, "127.0.0.1:") {
					t.Errorf("%s publishes %s", name, port)
				}
			}
		}
	})
	t.Run("the simulator is started only when asked for", func(t *testing.T) {
		if diff := cmp.Diff([]string{"sim"}, simulator.Profiles); diff != "" {
			t.Error(diff)
		}
		if len(redis.Profiles)+len(worker.Profiles) > 0 {
			t.Error("Redis or worker are in a profile")
		}
	})
	t.Run("every setting that it names is one", func(t *testing.T) {
		var known []string
		for _, s := range config.AllSettings() {
			known = append(known, s.Env)
		}
		named := regexp.MustCompile(`ICIMS_EXPORT_\w+`).FindAllString(text, -1)
		if len(named) == 0 {
			t.Fatal("it names none")
		}
		for _, name := range named {
			if !slices.Contains(known, name) {
				t.Errorf("%s is no setting", name)
			}
		}
	})
	t.Run("the worker's secrets are files, and mounted where its settings look", func(t *testing.T) {
		for setting, secret := range map[string]string{"ICIMS_EXPORT_KEYSET": "keyset", "ICIMS_EXPORT_CONNECTIONS": "connections"} {
			if !strings.HasPrefix(c.Secrets[secret].File, "./secrets/") || !slices.Contains(worker.Secrets, secret) {
				t.Errorf("%s is %q of the worker's %q", secret, c.Secrets[secret].File, worker.Secrets)
			}
			if got, want := worker.Environment[setting], "/run/secrets/"+secret; got != want {
				t.Errorf("%s is %q, want %q", setting, got, want)
			}
		}
	})
	t.Run("the worker's settings are accepted, and its stop is given their time", func(t *testing.T) {
		for name, value := range worker.Environment {
			t.Setenv(name, composeDefault(value))
		}
		s := mustParse(t)
		grace, err := time.ParseDuration(worker.StopGracePeriod)
		if err != nil || grace <= s.ShutdownTimeout {
			t.Errorf("grace period %q, shutdown time-out %s", worker.StopGracePeriod, s.ShutdownTimeout)
		}
	})
}

// composeDefault is what compose makes of ${NAME:-default} where NAME is not
// set.
func composeDefault(value string) string {
	return regexp.MustCompile(`\$\{\w+:-([^}]*)\}`).ReplaceAllString(value, "$1")
}

func TestDockerfile(t *testing.T) {
	text, err := os.ReadFile("../Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	stages := strings.Split(string(text), "\nFROM ")
	last := stages[len(stages)-1]
	t.Run("the binary is static and reproducible", func(t *testing.T) {
		for _, part := range []string{"CGO_ENABLED=0", "-trimpath", "-s -w"} {
			if !strings.Contains(stages[0], part) {
				t.Errorf("the build lacks %s", part)
			}
		}
	})
	t.Run("the image holds nothing but the program and the authorities", func(t *testing.T) {
		if !strings.HasPrefix(last, "scratch\n") || strings.Count(last, "COPY ") != 2 {
			t.Errorf("the last stage is:\n%s", last)
		}
	})
	t.Run("the program does not run as root", func(t *testing.T) {
		if !regexp.MustCompile(`(?m)^USER [1-9]\d*:[1-9]\d*$`).MatchString(last) {
			t.Error("there is no numeric user above 0")
		}
	})
	t.Run("the builder gets every folder that the program is made of", func(t *testing.T) {
		ignore, err := os.ReadFile("../.dockerignore")
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(string(ignore), "\n")
		if !slices.Contains(lines, "*") {
			t.Error("not everything else is left out")
		}
		listed, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "../cmd/icims-export").Output()
		if err != nil {
			t.Fatal(err)
		}
		const module = "github.com/seekout/icims-export/"
		parts := map[string]bool{"go.mod": true, "go.sum": true}
		for pkg := range strings.FieldsSeq(string(listed)) {
			if path, ours := strings.CutPrefix(pkg, module); ours {
				folder, _, _ := strings.Cut(path, "/")
				parts[folder] = true
			}
		}
		for name := range parts {
			if !slices.Contains(lines, "!"+name) {
				t.Errorf("%s is left out", name)
			}
		}
	})
}
