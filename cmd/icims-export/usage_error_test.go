package main

import (
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2"
)

func TestExitStatusAndRemedy(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	redis := miniredis.RunT(t)
	file := b.file(t, "candidates.ndjson", candidates)
	onRedis := "--redis-url=redis://" + redis.Addr()
	for name, c := range map[string]struct {
		args   []string
		status int
		says   string
	}{
		"no command is a request for help": {nil, statusDone, ""},
		"help":                             {[]string{"export", "--help"}, statusDone, ""},
		"an unknown command":               {[]string{"exprot"}, statusUsage, "see icims-export --help"},
		"a verification as a connection's": {[]string{"connection", "verify", "1234"}, statusUsage, "use icims-export verify CUSTOMER"},
		"a setting after a flag":           {[]string{"connection", "add", "1234", "username=u", "--password-env", "P", "portal_urls=p"}, statusUsage, "put settings (name=value) before flags"},
		"an unknown flag":                  {[]string{"demo", "--colour"}, statusUsage, "see icims-export demo --help"},
		"a bad setting":                    {[]string{"worker", "--settle-time=1s"}, statusUsage, "ICIMS_EXPORT_SETTLE_TIME"},
		"no target":                        {[]string{"export", file, "--customer=1234"}, statusUsage, "--prospects"},
		"two targets":                      {[]string{"export", file, "--customer=1234", "--job=1", "--prospects"}, statusUsage, "can't be used together"},
		"a customer that is no number":     {[]string{"export", file, "--customer=acme", "--prospects"}, statusUsage, "digits only"},
		"a negative job":                   {[]string{"export", file, "--customer=1234", "--job=-1"}, statusUsage, "system id of a job"},
		"a file that is not there":         {[]string{"export", file + "x", "--customer=1234", "--prospects"}, statusUsage, "does not exist: correct the name"},
		"a folder for a file":              {[]string{"export", b.folder, "--customer=1234", "--prospects"}, statusUsage, "is a folder"},
		"no keyset":                        {[]string{"export", file, "--customer=1234", "--prospects", onRedis}, statusUsage, "icims-export keys new"},
		"a keyset that is not there":       {[]string{"worker", onRedis, "--keyset=" + b.folder + "/none"}, statusUsage, "icims-export keys new"},
		"a keyset that is none":            {[]string{"worker", onRedis, "--keyset=" + file}, statusUsage, "not a keyset"},
		"connections that are not there":   {[]string{"worker", onRedis, "--keyset=" + b.keyset, "--connections=" + b.folder + "/none"}, statusUsage, "does not exist: correct ICIMS_EXPORT_CONNECTIONS"},
		"a worker for an embedded Redis":   {[]string{"worker", "--redis-url=embedded"}, statusUsage, "Redis that producers use"},
		"no connection of the customer":    {b.embedded("export", file, "--customer=99", "--prospects"), statusUsage, "no usable connection for customer 99"},
		"a host that is not allowed":       {[]string{"export", file, "--customer=1234", "--prospects", "--redis-url=embedded", "--connections=" + b.connections}, statusUsage, "ICIMS_EXPORT_ICIMS_HOSTS"},
		"a Redis that is not there":        {[]string{"status", "1234-abcdefgh234567ij", "--redis-url=redis://127.0.0.1:1"}, statusFailed, "Redis cannot be reached (\"connection refused\")"},
		"a status of an embedded Redis":    {[]string{"status", "1234-abcdefgh234567ij", "--redis-url=embedded"}, statusUsage, "cannot use the embedded Redis"},
		"a batch id that is none":          {[]string{"status", "yesterday", onRedis}, statusUsage, "is not a batch id"},
		"a batch that is unknown":          {[]string{"status", "1234-abcdefgh234567ij", onRedis}, statusFailed, "does not exist in this Redis"},
		"too few candidates for a demo":    {[]string{"demo", "--candidates=1"}, statusUsage, "from 10 to 2000"},
		"an unknown fault":                 {[]string{"sim", "--fault=gremlins=0.1"}, statusUsage, "error500_after"},
		"a fault that is no rate":          {[]string{"sim", "--fault=error429=2"}, statusUsage, "from 0 to 1"},
		"an address that cannot be had":    {[]string{"sim", "--listen=192.0.2.1:1"}, statusUsage, "--listen"},
	} {
		t.Run(name, func(t *testing.T) {
			r := call(t, c.args...)
			r.wantStatus(t, c.status)
			r.wantNone(t, testPassword, "Ottoline", "ottoline")
			if !strings.Contains(r.errors, c.says) {
				t.Errorf("%q is missing in %q", c.says, r.errors)
			}
			if c.status == statusDone {
				if r.errors != "" || r.out == "" {
					t.Errorf("help said %q on stderr", r.errors)
				}
				return
			}
			for line := range strings.Lines(r.errors) {
				if !strings.HasPrefix(line, "icims-export: ") {
					t.Errorf("the line %q does not say whose it is", line)
				}
			}
			if r.out != "" {
				t.Errorf("stdout is not empty: %q", r.out)
			}
		})
	}
}

func TestHelpOmitsIrrelevantSettings(t *testing.T) {
	t.Parallel()
	if r := call(t, "demo", "--help"); strings.Contains(r.out, "--redis-url") {
		t.Errorf("the demo's help lists the settings, which it does not use\n%s", r.out)
	}
	if r := call(t, "worker", "--help"); !strings.Contains(r.out, "ICIMS_EXPORT_REDIS_URL") {
		t.Errorf("the worker's help does not list the settings\n%s", r.out)
	}
}

func TestHelpShowsDefaults(t *testing.T) {
	t.Parallel()
	for command, want := range map[string][]string{
		"check":  {"counts as stuck (default 5m).", "up to 500 (default 50)."},
		"sim":    {"(default 127.0.0.1:8899).", "--seed=1"},
		"worker": {"(default 30s, $ICIMS_EXPORT_CALL_TIMEOUT).", "passwords in Redis (see: keys new) ($ICIMS_EXPORT_KEYSET)."},
	} {
		help := strings.Join(strings.Fields(call(t, command, "--help").out), " ")
		for _, text := range want {
			if !strings.Contains(help, text) {
				t.Errorf("%s --help lacks %q\n%s", command, text, help)
			}
		}
	}
	if help := call(t, "dead", "list", "--help").out; strings.Contains(help, "default -1") {
		t.Errorf("a default that is none is shown\n%s", help)
	}
}
