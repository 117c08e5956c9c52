package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/redis/go-redis/v9"
)

// Reach returns nil if Redis answers. On a cluster one master is enough, since its customers can be
// served. It sends ECHO, because a Redis that cannot persist rejects PING but still answers reads.
func Reach(ctx context.Context, client redis.UniversalClient) error {
	cluster, ok := client.(*redis.ClusterClient)
	if !ok {
		return answers(ctx, client)
	}
	var reached atomic.Bool
	err := cluster.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
		err := answers(ctx, node)
		if err == nil {
			reached.Store(true)
		}
		return err
	})
	if reached.Load() {
		return nil
	}
	return err
}

func answers(ctx context.Context, client redis.Cmdable) error { return client.Echo(ctx, "").Err() }

// Risks lists settings of the Redis servers that may lose or stop exports, checking each master of
// a cluster. It reads CONFIG, then INFO. Settings that neither returns are listed too, since they
// could not be checked.
func Risks(ctx context.Context, client redis.UniversalClient) ([]string, error) {
	if err := Reach(ctx, client); err != nil {
		return nil, fmt.Errorf("reach Redis: %w", err)
	}
	cluster, ok := client.(*redis.ClusterClient)
	if !ok {
		return settingRisks(ctx, client, "Redis"), nil
	}
	var (
		mu    sync.Mutex
		risks []string
	)
	err := cluster.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
		name := "the Redis node " + node.Options().Addr
		found := []string{name + " does not answer, so exports of customers on it wait; start it, or promote a replica"}
		if answers(ctx, node) == nil {
			found = settingRisks(ctx, node, name)
		}
		mu.Lock()
		defer mu.Unlock()
		risks = append(risks, found...)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list the cluster's masters: %w", err)
	}
	slices.Sort(risks)
	return risks, nil
}

// settingRisks checks one server.
func settingRisks(ctx context.Context, client redis.Cmdable, name string) []string {
	var info map[string]string
	var unchecked []string
	read := func(setting, inInfo string) string {
		if values, err := client.ConfigGet(ctx, setting).Result(); err == nil && values[setting] != "" {
			return values[setting]
		}
		if info == nil {
			info = infoOf(ctx, client)
		}
		value, known := info[inInfo]
		if !known {
			unchecked = append(unchecked, setting)
		}
		return value
	}
	var risks []string
	if on := read("appendonly", "aof_enabled"); on == "no" || on == "0" {
		risks = append(risks, name+" keeps no append-only file: a restart loses exports and success markers since the last snapshot; set appendonly yes")
	}
	if policy := read("maxmemory-policy", "maxmemory_policy"); policy != "" && policy != "noeviction" {
		risks = append(risks, name+" may evict keys ("+policy+"), which silently loses exports and success markers; set maxmemory-policy noeviction")
	}
	if on := read("cluster-enabled", "cluster_enabled"); (on == "yes" || on == "1") && read("cluster-require-full-coverage", "") == "yes" {
		risks = append(risks, name+" refuses all commands while a node without a replica is down, which stops all customers; set cluster-require-full-coverage no")
	}
	if len(unchecked) > 0 {
		risks = append(risks, name+" could not be checked: it refuses CONFIG GET, and INFO lacks "+strings.Join(unchecked, ", ")+"; make sure that appendonly is yes and maxmemory-policy noeviction, or allow INFO")
	}
	return risks
}

// infoOf reads all or some sections of INFO; empty if refused.
func infoOf(ctx context.Context, client redis.Cmdable, sections ...string) map[string]string {
	values := map[string]string{}
	text, _ := client.Info(ctx, sections...).Result() // a refusal leaves the settings unchecked
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			values[name] = value
		}
	}
	return values
}
