package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store"
)

func TestReload(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	hosts, err := icims.ParseHostPolicy(b.origin)
	if err != nil {
		t.Fatal(err)
	}
	good := b.connection("TEST_ICIMS_PASSWORD")
	second := strings.TrimPrefix(strings.ReplaceAll(strings.Replace(good, "1234", "77", 1), "customers/1234", "customers/77"), "connections:\n")
	for name, c := range map[string]struct {
		file string
		want []string // customers; nil if nothing is applied
		says string
	}{
		"a good file replaces the connections":             {good + second, []string{"1234", "77"}, "connections reloaded"},
		"of a half good one the good ones are used":        {good + strings.ReplaceAll(second, "export-user", `""`), []string{"1234"}, "connection left out"},
		"a connection to another host is left out":         {good + strings.ReplaceAll(second, b.origin, "https://example.com"), []string{"1234"}, "connection left out"},
		"a broken file changes nothing":                    {"connections: [", nil, "keeping the old ones"},
		"a file without a usable connection is broken too": {b.connection("NOT_SET_ANYWHERE"), nil, "keeping the old ones"},
		"and so is one that has gone":                      {"", nil, "keeping the old ones"},
	} {
		t.Run(name, func(t *testing.T) {
			path := b.file(t, "changing.yml", c.file)
			if c.file == "" {
				if err := os.Remove(path); err != nil {
					t.Fatal(err)
				}
			}
			var log bytes.Buffer
			p := &process{lookupEnv: os.LookupEnv}
			p.settings.Connections = path
			var got []string
			reload(p, hosts, zerolog.New(&log), func(conns []store.Connection) {
				for _, conn := range conns {
					got = append(got, conn.Customer)
				}
			})
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("applied (-want +got):\n%s", diff)
			}
			if !strings.Contains(log.String(), c.says) || strings.Contains(log.String(), testPassword) {
				t.Errorf("the log is %s", &log)
			}
		})
	}
}
