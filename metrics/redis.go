package metrics

import (
	"context"
	"net"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/store"
)

// redisHook counts a client's Redis commands.
type redisHook struct {
	trips, errors *prometheus.CounterVec
	commands      prometheus.Counter
	took          *prometheus.HistogramVec
}

// WatchRedis counts the client's round trips. A pipeline counts as one, even if a cluster's client
// splits it over several nodes. Messages of subscriptions are not counted.
func WatchRedis(r prometheus.Registerer, client redis.UniversalClient) {
	client.AddHook(&redisHook{
		trips: redisTrips.counterIn(r), errors: redisErrors.counterIn(r), commands: redisCommands.counterIn(r).WithLabelValues(),
		took: redisDuration.histogramIn(r),
	})
}

// DialHook does nothing: the command reports dial failures.
func (h *redisHook) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

// ProcessHook counts a command.
func (h *redisHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		start := time.Now()
		err := next(ctx, cmd)
		h.count(tripCommand, 1, time.Since(start), troubleIn(cmd, err))
		return err
	}
}

// ProcessPipelineHook counts a pipeline, with the trouble of its first failed command.
func (h *redisHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		start := time.Now()
		err := next(ctx, cmds)
		took, trouble := time.Since(start), store.RedisProblem("")
		for i := 0; i < len(cmds) && trouble == ""; i++ {
			trouble = troubleIn(cmds[i], cmds[i].Err())
		}
		h.count(tripPipeline, len(cmds), took, trouble)
		return err
	}
}

// troubleIn returns the trouble of a failed command. It ignores errors of commands that go-redis
// sends on a new connection and an older Redis does not know.
func troubleIn(cmd redis.Cmder, err error) store.RedisProblem {
	trouble := store.TroubleOf(err)
	if name := cmd.Name(); (trouble == store.TroubleOther || trouble == store.TroubleCommand) && (name == "client" || name == "hello") {
		return ""
	}
	return trouble
}

func (h *redisHook) count(kind string, commands int, took time.Duration, trouble store.RedisProblem) {
	h.trips.WithLabelValues(kind).Inc()
	h.commands.Add(float64(commands))
	h.took.WithLabelValues(kind).Observe(took.Seconds())
	if trouble != "" {
		h.errors.WithLabelValues(string(trouble)).Inc()
	}
}
