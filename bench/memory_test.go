package bench_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/bench/figures"
	"github.com/seekout/icims-export/store/redistest"
)

// BenchmarkQueuedMemory measures the Redis memory of a queued export.
func BenchmarkQueuedMemory(b *testing.B) {
	server := redistest.Start(b)
	client := server.Client(b)
	learnServer(b, client)
	for b.Loop() {
		enqueueBatch(b, server, people(0, 100), 0) // loads scripts
		emptied(b, server)
		before := usedMemory(b, client)
		enqueueBatch(b, server, people(1, *queued), 0)
		n := float64(*queued)
		total := (usedMemory(b, client) - before) / n
		parts := memoryOf(b, client)
		queue := (parts["asynq task"] + parts["asynq queue"]) / n
		judge(b, "Redis bytes per queued export", figures.Exactly(total), figures.AtMost(2200, " B", "%.0f"), "B/export")
		results.Note("  of which asynq's task and queue", figures.Exactly(queue), "%.0f", " B")
		results.Note("  of which record", figures.Exactly(parts["record"]/n), "%.0f", " B")
		results.Note("  of which sealed payload", figures.Exactly(parts["payload"]/n), "%.0f", " B")
		results.Note("  of which batch, the rest, and Redis's table of keys", figures.Exactly(total-queue-(parts["record"]+parts["payload"])/n), "%.0f", " B")
	}
}

// usedMemory returns Redis's memory use without its clients' buffers.
func usedMemory(b *testing.B, client redis.UniversalClient) float64 {
	b.Helper()
	used, err := strconv.ParseFloat(infoField(b, client, "memory", "used_memory"), 64)
	if err != nil {
		b.Fatal(err)
	}
	clients, err := strconv.ParseFloat(infoField(b, client, "memory", "mem_clients_normal"), 64)
	if err != nil {
		b.Fatal(err)
	}
	return used - clients
}

// memoryOf sums MEMORY USAGE by kind of key.
func memoryOf(b *testing.B, client redis.UniversalClient) map[string]float64 {
	b.Helper()
	sums := map[string]float64{}
	var cursor uint64
	for {
		keys, next, err := client.Scan(b.Context(), cursor, "*", 1000).Result()
		if err != nil {
			b.Fatal(err)
		}
		sizes := make([]*redis.IntCmd, len(keys))
		_, err = client.Pipelined(b.Context(), func(p redis.Pipeliner) error {
			for i, key := range keys {
				sizes[i] = p.MemoryUsage(b.Context(), key, 0)
			}
			return nil
		})
		if err != nil {
			b.Fatal(err)
		}
		for i, key := range keys {
			sums[kindOf(key)] += float64(sizes[i].Val())
		}
		if cursor = next; cursor == 0 {
			return sums
		}
	}
}

func kindOf(key string) string {
	_, local, _ := strings.Cut(key, "}:")
	switch {
	case strings.HasPrefix(key, "asynq:") && strings.HasPrefix(local, "t:"):
		return "asynq task"
	case strings.HasPrefix(key, "asynq:"):
		return "asynq queue"
	case strings.HasPrefix(local, "x:"):
		return "record"
	case strings.HasPrefix(local, "p:"):
		return "payload"
	case strings.HasPrefix(local, "m:"):
		return "marker"
	}
	return "batch"
}
