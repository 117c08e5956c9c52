package deploy

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
)

func TestCompose(t *testing.T) {
	t.Parallel()
	c := compose(t, nil)
	each := func(name string, check func(t *testing.T, name string, s service)) {
		t.Run(name, func(t *testing.T) {
			for name, s := range c.Services {
				check(t, name, s)
			}
		})
	}
	t.Run("Redis persists data, evicts nothing, and is full before it is killed", func(t *testing.T) {
		redis := c.Services["redis"]
		command := strings.Join(redis.Command, " ")
		for _, flags := range []string{"--appendonly yes", "--maxmemory-policy noeviction"} {
			if !strings.Contains(command, flags) {
				t.Errorf("%q lacks %s", command, flags)
			}
		}
		if redis.mounts()["/data"] != "redis" {
			t.Errorf("its data are in no volume: %q", redis.Volumes)
		}
		i := slices.Index(redis.Command, "--maxmemory")
		if i < 0 || 2*bytesOf(t, redis.Command[i+1]) > bytesOf(t, redis.Memory) {
			t.Errorf("%q has %s", command, redis.Memory)
		}
	})
	t.Run("without profiles there is what exports, and no more", func(t *testing.T) {
		var chosen []string
		for name, s := range c.Services {
			if s.chosen(nil) {
				chosen = append(chosen, name)
			}
		}
		slices.Sort(chosen)
		if want := []string{"api", "keyset", "redis", "redis-acl", "worker"}; !slices.Equal(chosen, want) {
			t.Errorf("got %q, want %q", chosen, want)
		}
		if c.Services["worker"].Deploy.Replicas != 2 {
			t.Errorf("%d workers", c.Services["worker"].Deploy.Replicas)
		}
	})
	each("nothing listens beyond this machine", func(t *testing.T, name string, s service) {
		for _, port := range s.Ports {
			if !strings.HasPrefix(port, "127.0.0.1:") {
				t.Errorf("%s publishes %s", name, port)
			}
		}
	})
	each("services have few privileges", func(t *testing.T, name string, s service) {
		if !s.ReadOnly || !slices.Contains(s.CapDrop, "ALL") || !slices.Contains(s.SecurityOpt, "no-new-privileges:true") {
			t.Errorf("%s: read-only %v, without capabilities %q, %q", name, s.ReadOnly, s.CapDrop, s.SecurityOpt)
		}
		if s.PIDs <= 0 || bytesOf(t, s.Memory) <= 0 {
			t.Errorf("%s has no limit of processes or memory: %d, %s", name, s.PIDs, s.Memory)
		}
	})
	each("images are built here, or of one version", func(t *testing.T, name string, s service) {
		if own := s.Image == "icims-export" && s.Build == "."; !own && !regexp.MustCompile(`^[a-z/]+:v?\d+\.\d+\.\d+(-\w+)?$`).MatchString(s.Image) {
			t.Errorf("%s is of the image %s", name, s.Image)
		}
	})
	each("long-running services have a health check and are restarted", func(t *testing.T, name string, s service) {
		if s.runs() && (len(s.Healthcheck.Test) < 2 || s.Healthcheck.Test[0] != "CMD" || s.Healthcheck.patience() == 0 || s.Healthcheck.Timeout == 0 || s.Restart != "unless-stopped") {
			t.Errorf("%s has %+v, and is started again %s", name, s.Healthcheck, s.Restart)
		}
	})
	each("dependencies have a matching condition", func(t *testing.T, name string, s service) {
		for other, d := range s.DependsOn {
			on, ok := c.Services[other]
			switch {
			case !ok:
				t.Errorf("%s waits for %s, which does not exist", name, other)
			case on.runs() != (d.Condition == "service_healthy"), !on.runs() != (d.Condition == "service_completed_successfully"):
				t.Errorf("%s waits for %s with the condition %s", name, other, d.Condition)
			case !on.chosen(s.Profiles):
				t.Errorf("%s waits for %s, which is not started with it", name, other)
			}
		}
	})
	each("what is mounted is there", func(t *testing.T, name string, s service) {
		for at, source := range s.mounts() {
			if _, declared := c.Volumes[source]; declared {
				continue
			}
			if _, err := os.Stat(filepath.Join("..", source)); err != nil || !strings.HasPrefix(source, "./") {
				t.Errorf("%s mounts %s at %s: %v", name, source, at, err)
			}
		}
	})
	each("a stop is given the time that it may take", func(t *testing.T, name string, s service) {
		text, ok := s.Environment["ICIMS_EXPORT_SHUTDOWN_TIMEOUT"]
		if !ok || !s.runs() {
			return
		}
		if within, err := time.ParseDuration(text); err != nil || time.Duration(s.StopGracePeriod) <= within {
			t.Errorf("%s has %s for a stop of %s, %v", name, time.Duration(s.StopGracePeriod), text, err)
		}
	})
	t.Run("only services that need Redis reach it, and it reaches none", func(t *testing.T) {
		networks := c.Services["redis"].Networks
		if len(networks) != 1 || !c.Networks[networks[0]].Internal || len(c.Services["redis"].Ports) > 0 {
			t.Fatalf("it is in %q, and publishes %q", networks, c.Services["redis"].Ports)
		}
		for name, s := range c.Services {
			_, needs := s.Environment["ICIMS_EXPORT_REDIS_URL"]
			if name != "redis" && needs != slices.Contains(s.Networks, networks[0]) {
				t.Errorf("%s needs it: %v; it is in %q", name, needs, s.Networks)
			}
		}
	})
	t.Run("every setting that is named is one", func(t *testing.T) {
		text := string(read(t, "../docker-compose.yml"))
		sim := dotenv(t, "sim.env")
		for name := range sim {
			if name != "COMPOSE_PROFILES" && !strings.Contains(text, "${"+name+":-") {
				t.Errorf("sim.env sets %s, which docker-compose.yml does not read", name)
			}
			text += name + "\n"
		}
		named := regexp.MustCompile(`ICIMS_EXPORT_\w+`).FindAllString(text, -1)
		if len(named) == 0 {
			t.Fatal("none is named")
		}
		for _, name := range named {
			if !slices.Contains(settingNames(), name) {
				t.Errorf("%s is no setting", name)
			}
		}
	})
}

// bytesOf parses a size such as 2g or 512mb.
func bytesOf(t *testing.T, text string) int {
	t.Helper()
	parts := regexp.MustCompile(`^(\d+)([mg])b?$`).FindStringSubmatch(text)
	if parts == nil {
		t.Fatalf("%q is no size", text)
	}
	n, err := strconv.Atoi(parts[1])
	if err != nil {
		t.Fatal(err)
	}
	return n << map[string]int{"m": 20, "g": 30}[parts[2]]
}

// TestPrometheusScrapesTheProcessesOfCompose: Prometheus scrapes exactly the processes with
// metrics, by resolvable names.
func TestPrometheusScrapesTheProcessesOfCompose(t *testing.T) {
	t.Parallel()
	c := compose(t, nil)
	var file struct {
		Rules   []string `yaml:"rule_files"`
		Configs []struct {
			Job string `yaml:"job_name"`
			DNS []struct {
				Names []string `yaml:"names"`
				Type  string   `yaml:"type"`
				Port  int      `yaml:"port"`
			} `yaml:"dns_sd_configs"`
		} `yaml:"scrape_configs"`
	}
	if err := yaml.Unmarshal(read(t, "prometheus/prometheus.yml"), &file); err != nil {
		t.Fatal(err)
	}
	var asked, listening []string
	for _, s := range file.Configs {
		for _, d := range s.DNS {
			for _, name := range d.Names {
				asked = append(asked, fmt.Sprintf("%s:%d", name, d.Port))
				if s.Job != "icims-export-"+name {
					t.Errorf("the job of %s is %s", name, s.Job)
				}
			}
		}
	}
	prometheus := c.Services["prometheus"]
	for name, s := range c.Services {
		if at := s.Environment["ICIMS_EXPORT_METRICS_LISTEN"]; at != "" && s.runs() {
			listening = append(listening, name+at)
			if !slices.ContainsFunc(s.Networks, func(n string) bool { return slices.Contains(prometheus.Networks, n) }) {
				t.Errorf("Prometheus does not reach %s", name)
			}
		}
	}
	slices.Sort(asked)
	slices.Sort(listening)
	if !slices.Equal(asked, listening) {
		t.Errorf("Prometheus scrapes %q, but %q have metrics", asked, listening)
	}
	// The rules are tested with the promtool of that version: v0.316.0 is 3.16.0.
	tool := regexp.MustCompile(`(?m)^PROMTOOL_VERSION := v0\.(\d)(\d\d)\.(\d+)$`).FindStringSubmatch(string(read(t, "../Makefile")))
	if tool == nil || prometheus.Image != fmt.Sprintf("prom/prometheus:v%s.%s.%s", tool[1], tool[2], tool[3]) {
		t.Errorf("Prometheus is %s, promtool of %q", prometheus.Image, tool)
	}
	folder := prometheus.mounts()["/etc/prometheus"]
	for _, rules := range append(file.Rules, "prometheus.yml") {
		if _, err := os.Stat(filepath.Join("..", folder, rules)); err != nil {
			t.Error(err)
		}
	}
}

func TestGrafanaFindsPrometheusAndItsDashboard(t *testing.T) {
	t.Parallel()
	c := compose(t, nil)
	grafana := c.Services["grafana"]
	var sources struct {
		Datasources []struct {
			URL string `yaml:"url"`
		} `yaml:"datasources"`
	}
	if err := yaml.Unmarshal(read(t, "grafana/provisioning/datasources/prometheus.yml"), &sources); err != nil {
		t.Fatal(err)
	}
	_, port, _ := strings.Cut(strings.TrimPrefix(c.Services["prometheus"].Ports[0], "127.0.0.1:"), ":")
	if len(sources.Datasources) != 1 || sources.Datasources[0].URL != "http://prometheus:"+port {
		t.Errorf("it asks %+v", sources)
	}
	var providers struct {
		Providers []struct {
			Options struct{ Path string }
		} `yaml:"providers"`
	}
	if err := yaml.Unmarshal(read(t, "grafana/provisioning/dashboards/icims-export.yml"), &providers); err != nil {
		t.Fatal(err)
	}
	mounts, home := grafana.mounts(), grafana.Environment["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
	if len(providers.Providers) != 1 || mounts[providers.Providers[0].Options.Path] == "" || path.Dir(home) != providers.Providers[0].Options.Path {
		t.Errorf("dashboards are looked for at %+v, the first is %s, mounted is %q", providers, home, mounts)
	}
	if _, err := os.Stat(filepath.Join("..", mounts[path.Dir(home)], path.Base(home))); err != nil {
		t.Error(err)
	}
	if mounts["/etc/grafana/provisioning"] == "" {
		t.Error("its provisioning is not mounted")
	}
}
