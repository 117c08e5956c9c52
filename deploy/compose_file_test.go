package deploy

import (
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
)

// composeFile is the tested part of docker-compose.yml.
type composeFile struct {
	Services map[string]service `yaml:"services"`
	Networks map[string]struct {
		Internal bool `yaml:"internal"`
	} `yaml:"networks"`
	Volumes map[string]any `yaml:"volumes"`
}

type service struct {
	Image       string            `yaml:"image"`
	Build       string            `yaml:"build"`
	Command     []string          `yaml:"command"`
	Profiles    []string          `yaml:"profiles"`
	Ports       []string          `yaml:"ports"`
	Environment map[string]string `yaml:"environment"`
	Volumes     []string          `yaml:"volumes"`
	Networks    []string          `yaml:"networks"`
	DependsOn   map[string]struct {
		Condition string `yaml:"condition"`
	} `yaml:"depends_on"`
	Healthcheck     healthcheck `yaml:"healthcheck"`
	Deploy          struct{ Replicas int }
	StopGracePeriod duration `yaml:"stop_grace_period"`
	Restart         string   `yaml:"restart"`
	ReadOnly        bool     `yaml:"read_only"`
	CapDrop         []string `yaml:"cap_drop"`
	SecurityOpt     []string `yaml:"security_opt"`
	PIDs            int      `yaml:"pids_limit"`
	Memory          string   `yaml:"mem_limit"`
}

type healthcheck struct {
	Test        []string `yaml:"test"`
	Interval    duration `yaml:"interval"`
	Timeout     duration `yaml:"timeout"`
	StartPeriod duration `yaml:"start_period"`
	Retries     int      `yaml:"retries"`
}

// patience returns how long compose waits at least for a healthy service.
func (h healthcheck) patience() time.Duration {
	return time.Duration(h.StartPeriod) + time.Duration(h.Retries)*time.Duration(h.Interval)
}

// duration is a duration in compose's format.
type duration time.Duration

func (d *duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	*d = duration(parsed)
	return err
}

// runs reports whether a service runs until it is stopped.
func (s service) runs() bool { return s.Restart != "no" }

// chosen reports whether the profiles start a service.
func (s service) chosen(profiles []string) bool {
	return len(s.Profiles) == 0 || slices.ContainsFunc(s.Profiles, func(p string) bool { return slices.Contains(profiles, p) })
}

// mounts returns the sources of a service's mounts, by target path.
func (s service) mounts() map[string]string {
	all := map[string]string{}
	for _, v := range s.Volumes {
		parts := strings.Split(v, ":")
		all[parts[1]] = parts[0]
	}
	return all
}

// braced matches how the file refers to a variable: always with a default.
var braced = regexp.MustCompile(`\$\{(\w+):-([^}]*)\}`)

// compose reads docker-compose.yml with the variables of .env.
func compose(t *testing.T, env map[string]string) composeFile {
	t.Helper()
	text := braced.ReplaceAllStringFunc(string(read(t, "../docker-compose.yml")), func(found string) string {
		parts := braced.FindStringSubmatch(found)
		if v := env[parts[1]]; v != "" {
			return v
		}
		return parts[2]
	})
	if strings.Contains(text, "$") {
		t.Error("docker-compose.yml names a variable without a value for want of one")
	}
	var c composeFile
	// A service's own keys override merged ones.
	if err := yaml.UnmarshalWithOptions([]byte(text), &c, yaml.AllowDuplicateMapKey()); err != nil {
		t.Fatal(err)
	}
	if len(c.Services) == 0 {
		t.Fatal("docker-compose.yml has no services")
	}
	return c
}

// dotenv reads a .env file.
func dotenv(t *testing.T, path string) map[string]string {
	t.Helper()
	all := map[string]string{}
	for line := range strings.Lines(string(read(t, path))) {
		line = strings.TrimSpace(line)
		if name, value, ok := strings.Cut(line, "="); ok && !strings.HasPrefix(line, "#") {
			all[name] = value
		}
	}
	return all
}
