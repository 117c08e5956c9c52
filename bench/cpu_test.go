package bench_test

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

// cpu is processor time in seconds, by process. Unlike elapsed time it hardly
// depends on what else the machine does.
type cpu struct{ self, redis, simulator float64 }

// cpuOf reads the processor time used so far. sim may be nil.
func cpuOf(b *testing.B, client redis.UniversalClient, sim *simulator) cpu {
	b.Helper()
	server, err := strconv.Atoi(infoField(b, client, "server", "process_id"))
	if err != nil {
		b.Fatal(err)
	}
	c := cpu{self: cpuSeconds(os.Getpid()), redis: cpuSeconds(server)}
	if sim != nil {
		c.simulator = cpuSeconds(sim.pid)
	}
	return c
}

func (c cpu) since(start cpu) cpu {
	return cpu{c.self - start.self, c.redis - start.redis, c.simulator - start.simulator}
}

// cpuSeconds is what a process has used so far; 0 where the system has no /proc.
func cpuSeconds(pid int) float64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	// Fields are counted from behind the name, which may hold blanks.
	const user, system, ticksPerSecond = 11, 12, 100
	f := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	u, _ := strconv.ParseFloat(f[user], 64)
	s, _ := strconv.ParseFloat(f[system], 64)
	return (u + s) / ticksPerSecond
}
