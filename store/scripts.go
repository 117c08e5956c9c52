package store

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/store/quota"
)

//go:embed scripts/*.lua
var scriptFiles embed.FS

var (
	acceptScript     = loadScript("accept")
	claimScript      = loadScript("claim")
	stepScript       = loadEssentialScript("step")
	holdScript       = loadEssentialScript("hold")
	finishScript     = loadEssentialScript("finish")
	redrawScript     = loadEssentialScript("redraw")
	renewScript      = loadEssentialScript("renew")
	reviveScript     = loadEssentialScript("revive")
	discardScript    = loadEssentialScript("discard")
	openBatchScript  = loadScript("open_batch")
	closeBatchScript = loadEssentialScript("close_batch")
	sweepScript      = loadEssentialScript("sweep_batches")
	endPauseScript   = loadEssentialFleetScript("end_pause")
)

// script is a Lua script in two variants that differ only in their clock.
type script struct{ live, simulated *redis.Script }

// Leases and waits use the Redis clock only, so workers' clocks may differ or jump. server is the
// identity of the server: it changes with a restart and with a failover, and is empty if INFO is
// forbidden.
const (
	liveClock = `local function micros()
  local t = redis.call('TIME')
  return tonumber(t[1]) * 1000000 + tonumber(t[2])
end
local function now() return math.floor(micros() / 1000) end
local function server()
  local info = redis.pcall('INFO', 'server')
  return type(info) == 'string' and string.match(info, 'run_id:(%x+)') or ''
end
`
	simulatedClock = `local function server() return redis.call('GET', '` + SimulatedServerKey + `') or '' end
local function now() return tonumber(redis.call('GET', '` + SimulatedClockKey + `')) end
local function micros() return now() * 1000 end
`
)

// SimulatedClockKey holds the time (ms since 1970) of a ledger made WithSimulatedClock.
const SimulatedClockKey = quota.SimulatedClockKey

// SimulatedServerKey holds the server identity for such a ledger.
const SimulatedServerKey = quota.SimulatedServerKey

// WithSimulatedClock makes the ledger use the time in SimulatedClockKey instead of the Redis clock,
// for simulations that pass days in seconds.
func WithSimulatedClock() Option { return func(l *Ledger) { l.simulated = true } }

func (s script) of(l *base) *redis.Script {
	if l.simulated {
		return s.simulated
	}
	return s.live
}

// evenWhenFull lets a script write when Redis has reached its maxmemory. Redis only rejects a
// script whose first write needs memory, so this write needs none and changes nothing. Use it for
// ending exports and for operators' actions, never for accepting candidates.
const evenWhenFull = "redis.pcall('HDEL', KEYS[1], '')\n"

// loadScript loads a script that works on exports.
func loadScript(parts ...string) script { return newScript(aboutExports(parts...)) }

// loadEssentialScript loads one that also writes when Redis is full.
func loadEssentialScript(parts ...string) script {
	return newScript(evenWhenFull + aboutExports(parts...))
}

// loadFleetScript loads a script that works on keys of no customer, without the prelude for
// exports.
func loadFleetScript(name string) script { return newScript(scriptText(name)) }

// loadEssentialFleetScript loads one that also writes when Redis is full.
func loadEssentialFleetScript(name string) script { return newScript(evenWhenFull + scriptText(name)) }

func aboutExports(parts ...string) string {
	var all strings.Builder
	all.WriteString(luaMoves() + scriptText("prelude"))
	for _, name := range parts {
		all.WriteString(scriptText(name))
	}
	return all.String()
}

func newScript(text string) script {
	return script{live: redis.NewScript(liveClock + text), simulated: redis.NewScript(simulatedClock + text)}
}

func scriptText(name string) string {
	text, err := scriptFiles.ReadFile("scripts/" + name + ".lua")
	if err != nil {
		panic(err) // embedded at build time
	}
	return string(text) + "\n"
}

// run executes a script whose reply is an array starting with a word.
func (l *base) run(ctx context.Context, s script, key string, args ...any) ([]any, error) {
	answer, err := s.of(l).Run(ctx, l.redis, []string{key}, args...).Slice()
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	return answer, nil
}

var commandScript = redis.NewScript(evenWhenFull + "return redis.call(ARGV[1], KEYS[1], unpack(ARGV, 2))")

// essential runs a command on one key, even if Redis is full.
func (l *base) essential(ctx context.Context, command, key string, args ...any) error {
	err := commandScript.Run(ctx, l.redis, []string{key}, append([]any{command}, args...)...).Err()
	if err != nil && !errors.Is(err, redis.Nil) {
		return err
	}
	return nil
}

// scriptCall is one call of a script that runs for many keys.
type scriptCall struct {
	key  string
	args []any
}

// pipelined runs a script once per call in one pipeline. With an error it returns the replies
// before it; the rest are nil.
func (l *base) pipelined(ctx context.Context, s script, calls []scriptCall) ([]any, error) {
	if len(calls) == 0 {
		return nil, nil
	}
	asked := make([]*redis.Cmd, len(calls))
	// The pipeline's error repeats one of the calls' errors.
	_, _ = l.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, c := range calls {
			asked[i] = s.of(l).EvalSha(ctx, p, []string{c.key}, c.args...)
		}
		return nil
	})
	answers := make([]any, len(calls))
	for i, c := range calls {
		answer, err := asked[i].Result()
		if err != nil && strings.HasPrefix(err.Error(), "NOSCRIPT") {
			// The script is not loaded on the server: this call loads it.
			answer, err = s.of(l).Run(ctx, l.redis, []string{c.key}, c.args...).Result()
		}
		if err != nil {
			return answers, fmt.Errorf("ledger: %w", err)
		}
		answers[i] = answer
	}
	return answers, nil
}

func text(v any) string {
	s, _ := v.(string)
	return s
}
