package bench_test

import (
	"context"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/bench/figures"
)

// results collects the rows of the table.
var results struct {
	figures.Table

	redis string // version of the server
}

// judge adds a figure with a goal. A missed goal is no failure: the machine may be slow.
func judge(b *testing.B, name string, v figures.Sample, g figures.Goal, metric string) {
	b.Helper()
	results.Judge(name, v, g)
	b.ReportMetric(v.Median(), metric)
}

// learnServer records the server's version for the table's head.
func learnServer(b *testing.B, client redis.UniversalClient) {
	b.Helper()
	results.redis = infoField(b, client, "server", "redis_version")
}

// infoField reads one line of INFO.
func infoField(b *testing.B, client redis.UniversalClient, section, name string) string {
	b.Helper()
	text, err := client.Info(context.Background(), section).Result()
	if err != nil {
		b.Fatal(err)
	}
	for line := range strings.Lines(text) {
		if value, ok := strings.CutPrefix(line, name+":"); ok {
			return strings.TrimSpace(value)
		}
	}
	b.Fatalf("INFO %s has no %s", section, name)
	return ""
}
