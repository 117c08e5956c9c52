package bench_test

import (
	"os"
	"strconv"
	"testing"

	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/bench/figures"
)

// cpu is processor time in seconds, by process. Unlike elapsed time it hardly depends on other
// load.
type cpu struct{ self, redis, simulator float64 }

// cpuOf returns the processor time used so far. sim may be nil.
func cpuOf(b *testing.B, client redis.UniversalClient, sim *simulator) cpu {
	b.Helper()
	server, err := strconv.Atoi(infoField(b, client, "server", "process_id"))
	if err != nil {
		b.Fatal(err)
	}
	c := cpu{self: figures.CPUSeconds(os.Getpid()), redis: figures.CPUSeconds(server)}
	if sim != nil {
		c.simulator = figures.CPUSeconds(sim.pid)
	}
	return c
}

func (c cpu) since(start cpu) cpu {
	return cpu{c.self - start.self, c.redis - start.redis, c.simulator - start.simulator}
}
