package tasks

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// Outlook is when the work of one queue comes up. It is read in one step: a task
// that moves meanwhile is seen either before or after its move.
type Outlook struct {
	Pending int // ready to be worked on
	Active  int // being worked on, by asynq's count
	// Next is when the first of those comes back that come back later; zero
	// without any.
	Next   time.Time
	Paused bool // asynq's own pause, as by its web UI
}

// Outlooks are those of both queues of a customer.
type Outlooks struct{ Bulk, Express Outlook }

// Active is how many tasks of the customer are being worked on.
func (o Outlooks) Active() int { return o.Bulk.Active + o.Express.Active }

var outlookScript = redis.NewScript(`
local function first(key)
  return redis.call('ZRANGE', key, 0, 0, 'WITHSCORES')[2] or ''
end
return {redis.call('LLEN', KEYS[1]), redis.call('LLEN', KEYS[2]), first(KEYS[3]), first(KEYS[4]), redis.call('EXISTS', KEYS[5])}`)

// ReadOutlooks reads the queues of customers, in their order, in two pipelines.
// The bulk queues come first: an export that goes on by a task of its own gets it
// in the express queue, before its former task is over, so it is seen in one of
// them.
func ReadOutlooks(ctx context.Context, client redis.UniversalClient, customers ...string) ([]Outlooks, error) {
	bulk, err := readOutlooks(ctx, client, customers, BulkQueue)
	if err != nil {
		return nil, err
	}
	express, err := readOutlooks(ctx, client, customers, ExpressQueue)
	if err != nil {
		return nil, err
	}
	all := make([]Outlooks, len(customers))
	for i := range all {
		all[i] = Outlooks{bulk[i], express[i]}
	}
	return all, nil
}

func readOutlooks(ctx context.Context, client redis.UniversalClient, customers []string, queue func(string) string) ([]Outlook, error) {
	if len(customers) == 0 {
		return nil, nil
	}
	run := func(eval func(context.Context, redis.Scripter, []string, ...any) *redis.Cmd) ([]*redis.Cmd, error) {
		commands := make([]*redis.Cmd, len(customers))
		_, err := client.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i, c := range customers {
				q := queue(c)
				commands[i] = eval(ctx, p, []string{
					asynqKey(q, "pending"), asynqKey(q, "active"), asynqKey(q, "scheduled"), asynqKey(q, "retry"), asynqKey(q, "paused"),
				})
			}
			return nil
		})
		return commands, err
	}
	commands, err := run(outlookScript.EvalSha)
	if err != nil && strings.HasPrefix(err.Error(), "NOSCRIPT") { // a server that does not know it yet
		commands, err = run(outlookScript.Eval)
	}
	if err != nil {
		return nil, fmt.Errorf("read queues: %w", err)
	}
	all := make([]Outlook, len(commands))
	for i, c := range commands {
		if all[i], err = outlook(c); err != nil {
			return nil, err
		}
	}
	return all, nil
}

var errOutlook = errors.New("read queues: unexpected answer")

func outlook(c *redis.Cmd) (Outlook, error) {
	answer, err := c.Slice()
	if err != nil || len(answer) != 5 {
		return Outlook{}, errors.Join(errOutlook, err)
	}
	count := func(i int) int { n, _ := answer[i].(int64); return int(n) }
	o := Outlook{Pending: count(0), Active: count(1), Paused: count(4) == 1}
	for _, part := range answer[2:4] {
		text, _ := part.(string)
		if text == "" {
			continue
		}
		seconds, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return Outlook{}, errors.Join(errOutlook, err)
		}
		if at := time.Unix(seconds, 0); o.Next.IsZero() || at.Before(o.Next) {
			o.Next = at
		}
	}
	return o, nil
}
