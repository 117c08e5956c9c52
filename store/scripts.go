package store

import (
	"context"
	"embed"
	"fmt"

	"github.com/redis/go-redis/v9"
)

//go:embed scripts/*.lua
var scriptFiles embed.FS

var (
	acceptScript     = loadScript("accept")
	claimScript      = loadScript("claim")
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
)

func loadScript(name string) *redis.Script {
	return redis.NewScript(luaMoves() + scriptText("prelude") + scriptText(name))
}

func scriptText(name string) string {
	text, err := scriptFiles.ReadFile("scripts/" + name + ".lua")
	if err != nil {
		panic(err) // embedded at build time
	}
	return string(text) + "\n"
}

// run executes a script whose answer is an array that begins with a word.
func (l *Ledger) run(ctx context.Context, script *redis.Script, key string, args ...any) ([]any, error) {
	answer, err := script.Run(ctx, l.redis, []string{key}, args...).Slice()
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	return answer, nil
}

func text(v any) string {
	s, _ := v.(string)
	return s
}
