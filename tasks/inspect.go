package tasks

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/store"
)

// This file reads and mends asynq's own keys, where its public API does not
// reach: whether the task of an export exists and is alive, and orphans that
// asynq never recovers. A test pins the layout that it relies on:
//
//	asynq:{<queue>}:t:<id>   hash  the task; its field "state" says in which list,
//	                               "msg" is what it is about
//	asynq:{<queue>}:active   list  ids of tasks that are being handled
//	asynq:{<queue>}:lease    zset  their ids by the end of their lease (s)

func taskID(ref store.Ref, generation int) string {
	return ref.Customer + ":" + ref.Export + ":" + strconv.Itoa(generation)
}

func asynqKey(queue, name string) string { return "asynq:{" + queue + "}:" + name }

func queuesOf(customer string) []string {
	return []string{BulkQueue(customer), ExpressQueue(customer)}
}

// Alive reports for each alarm whether its task will fire: it waits in a queue,
// or is being handled under a running lease of asynq's.
func Alive(ctx context.Context, client redis.UniversalClient, customer string, alarms []Alarm) ([]bool, error) {
	queues := queuesOf(customer)
	states := make([]*redis.StringCmd, 0, len(alarms)*len(queues))
	leases := make([]*redis.FloatCmd, 0, len(alarms)*len(queues))
	_, err := client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, a := range alarms {
			id := taskID(store.Ref{Customer: customer, Export: a.Export}, a.Generation)
			for _, q := range queues {
				states = append(states, p.HGet(ctx, asynqKey(q, "t:"+id), "state"))
				leases = append(leases, p.ZScore(ctx, asynqKey(q, "lease"), id))
			}
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("look for tasks: %w", err)
	}
	now := float64(time.Now().Unix())
	alive := make([]bool, len(alarms))
	for i := range states {
		switch states[i].Val() {
		case "pending", "scheduled", "retry":
			alive[i/len(queues)] = true
		case "active":
			if leases[i].Val() > now {
				alive[i/len(queues)] = true
			}
		}
	}
	return alive, nil
}

// Handled lists the tasks that asynq counts as being handled. A worker that was
// killed counts as handling its tasks for up to a minute and a half.
func Handled(ctx context.Context, client redis.UniversalClient, customer string) ([]Alarm, error) {
	var alarms []Alarm
	for _, q := range queuesOf(customer) {
		ids, err := client.LRange(ctx, asynqKey(q, "active"), 0, -1).Result()
		if err != nil {
			return nil, fmt.Errorf("list active tasks: %w", err)
		}
		for _, id := range ids {
			if a, ok := alarmOf(id); ok {
				alarms = append(alarms, a)
			}
		}
	}
	return alarms, nil
}

// CountHandled counts the tasks of customers, in their order, that asynq counts as
// being handled.
func CountHandled(ctx context.Context, client redis.UniversalClient, customers ...string) ([]int, error) {
	if len(customers) == 0 {
		return nil, nil
	}
	counts := make([][]*redis.IntCmd, len(customers))
	_, err := client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, c := range customers {
			for _, q := range queuesOf(c) {
				counts[i] = append(counts[i], p.LLen(ctx, asynqKey(q, "active")))
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("count active tasks: %w", err)
	}
	handled := make([]int, len(customers))
	for i := range handled {
		for _, n := range counts[i] {
			handled[i] += int(n.Val())
		}
	}
	return handled, nil
}

// asynq leases a task for 30 seconds, and its server renews the lease every five.
// Where it has missed two renewals it is most likely dead.
const forsakenLease = (30 - 2*5) * time.Second

// Forsaken lists the exports of a customer whose tasks are being handled, by
// asynq's count, by a server that does not renew their leases.
func Forsaken(ctx context.Context, client redis.UniversalClient, customer string) (map[string]bool, error) {
	before := strconv.FormatInt(time.Now().Add(forsakenLease).Unix(), 10)
	var ids []*redis.StringSliceCmd
	_, err := client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for _, q := range queuesOf(customer) {
			ids = append(ids, p.ZRangeByScore(ctx, asynqKey(q, "lease"), &redis.ZRangeBy{Min: "-inf", Max: before}))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list leases: %w", err)
	}
	exports := map[string]bool{}
	for _, found := range ids {
		for _, id := range found.Val() {
			if parts := strings.Split(id, ":"); len(parts) == 3 {
				exports[parts[1]] = true
			}
		}
	}
	return exports, nil
}

// Orphan is a task that asynq counts as being handled although it has no lease,
// or has lost what it is about: asynq never recovers such a task.
type Orphan struct {
	Queue string
	ID    string
}

// Alarm tells whose task the orphan was.
func (o Orphan) Alarm() (Alarm, bool) { return alarmOf(o.ID) }

func alarmOf(id string) (Alarm, bool) {
	parts := strings.Split(id, ":")
	if len(parts) != 3 {
		return Alarm{}, false
	}
	generation, err := strconv.Atoi(parts[2])
	return Alarm{Export: parts[1], Generation: generation}, err == nil
}

// Orphans lists the active tasks of a customer that have no lease or no message.
func Orphans(ctx context.Context, client redis.UniversalClient, customer string) ([]Orphan, error) {
	var orphans []Orphan
	for _, q := range queuesOf(customer) {
		ids, err := client.LRange(ctx, asynqKey(q, "active"), 0, -1).Result()
		if err != nil {
			return nil, fmt.Errorf("list active tasks: %w", err)
		}
		if len(ids) == 0 {
			continue
		}
		leases := make([]*redis.FloatCmd, len(ids))
		messages := make([]*redis.BoolCmd, len(ids))
		_, err = client.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i, id := range ids {
				leases[i] = p.ZScore(ctx, asynqKey(q, "lease"), id)
				messages[i] = p.HExists(ctx, asynqKey(q, "t:"+id), "msg")
			}
			return nil
		})
		if err != nil && !errors.Is(err, redis.Nil) {
			return nil, fmt.Errorf("read leases: %w", err)
		}
		for i, id := range ids {
			if errors.Is(leases[i].Err(), redis.Nil) || !messages[i].Val() {
				orphans = append(orphans, Orphan{q, id})
			}
		}
	}
	return orphans, nil
}

// dropScript removes an orphan, unless it is none any more.
var dropScript = redis.NewScript(`
if redis.call('ZSCORE', KEYS[2], ARGV[1]) and redis.call('HEXISTS', KEYS[3], 'msg') == 1 then return 0 end
if redis.call('LREM', KEYS[1], 1, ARGV[1]) == 0 then return 0 end
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('DEL', KEYS[3])
return 1`)

// Drop removes an orphan. Its export is found by the ledger, if it still moves.
func (o Orphan) Drop(ctx context.Context, client redis.UniversalClient) (bool, error) {
	keys := []string{asynqKey(o.Queue, "active"), asynqKey(o.Queue, "lease"), asynqKey(o.Queue, "t:"+o.ID)}
	n, err := dropScript.Run(ctx, client, keys, o.ID).Int()
	if err != nil {
		return false, fmt.Errorf("drop orphan: %w", err)
	}
	return n == 1, nil
}
