package store

import (
	"context"
	"embed"
	"fmt"
	"strings"

	"github.com/redis/go-redis/v9"
)

//go:embed scripts/*.lua
var scriptFiles embed.FS

var (
	acceptScript     = loadScript("accept")
	claimScript      = loadScript("turns", "claim")
	stepScript       = loadScript("step")
	holdScript       = loadScript("hold")
	finishScript     = loadScript("finish")
	redrawScript     = loadScript("redraw")
	renewScript      = loadScript("renew")
	nudgeScript      = loadScript("nudge")
	voidScript       = loadScript("void")
	reviveScript     = loadScript("revive")
	discardScript    = loadScript("discard")
	openBatchScript  = loadScript("open_batch")
	closeBatchScript = loadScript("close_batch")
	permitsScript    = loadScript("permits")
)

// script is a Lua script in two forms that differ in their clock alone.
type script struct{ live, simulated *redis.Script }

// Leases and waits are measured by the clock of Redis alone, so that the clocks
// of workers may differ or jump. server is the identity of the server that answers: it
// changes with a restart and with a fail-over, and is ” where INFO is forbidden.
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

// SimulatedClockKey holds the time (ms since 1970) that a ledger goes by which
// was made WithSimulatedClock.
const SimulatedClockKey = keyRoot + "clock"

// SimulatedServerKey holds the identity of the server that such a ledger goes by.
const SimulatedServerKey = keyRoot + "simulated-server"

// WithSimulatedClock makes the ledger go by the time in SimulatedClockKey instead
// of that of Redis. It is for simulations, which pass days in seconds.
func WithSimulatedClock() Option { return func(l *Ledger) { l.simulated = true } }

func (s script) of(l *Ledger) *redis.Script {
	if l.simulated {
		return s.simulated
	}
	return s.live
}

func loadScript(parts ...string) script {
	var all strings.Builder
	all.WriteString(luaMoves() + scriptText("prelude"))
	for _, name := range parts {
		all.WriteString(scriptText(name))
	}
	text := all.String()
	return script{live: redis.NewScript(liveClock + text), simulated: redis.NewScript(simulatedClock + text)}
}

// loadFleetScript loads a script about keys that no customer owns: without what
// comes before the others, which is about an export.
func loadFleetScript(name string) script {
	text := scriptText(name)
	return script{live: redis.NewScript(liveClock + text), simulated: redis.NewScript(simulatedClock + text)}
}

func scriptText(name string) string {
	text, err := scriptFiles.ReadFile("scripts/" + name + ".lua")
	if err != nil {
		panic(err) // embedded at build time
	}
	return string(text) + "\n"
}

// run executes a script whose answer is an array that begins with a word.
func (l *Ledger) run(ctx context.Context, s script, key string, args ...any) ([]any, error) {
	answer, err := s.of(l).Run(ctx, l.redis, []string{key}, args...).Slice()
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	return answer, nil
}

// scriptCall is one call of a script that is run for many keys.
type scriptCall struct {
	key  string
	args []any
}

// pipelined runs a script for each call in one pipeline. With an error it returns the
// answers up to there; those after it are nil.
func (l *Ledger) pipelined(ctx context.Context, s script, calls []scriptCall) ([]any, error) {
	if len(calls) == 0 {
		return nil, nil
	}
	asked := make([]*redis.Cmd, len(calls))
	// Its error is that of one of the calls.
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
			// The server does not know the script yet; this call teaches it.
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
