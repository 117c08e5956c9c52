package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// auditKeys scans all keys for records that no batch refers to. One scan serves all customers.
func (l *base) auditKeys(ctx context.Context, customers []string, auditors map[string]*auditor) error {
	pattern := keyRoot + "{*"
	if len(customers) == 1 {
		pattern = prefix(customers[0]) + "*"
	}
	handle := func(ctx context.Context, keys []string) error {
		sorted := map[string][]string{}
		for _, key := range keys {
			tag, local, ok := strings.Cut(strings.TrimPrefix(key, keyRoot+"{"), "}:")
			if ok && auditors[tag] != nil {
				sorted[tag] = append(sorted[tag], local)
			}
		}
		for customer, locals := range sorted {
			a := auditors[customer]
			if err := a.broken("keys without a batch", "", a.leftovers(ctx, locals)); err != nil {
				return err
			}
		}
		return nil
	}
	cluster, ok := l.redis.(*redis.ClusterClient)
	if !ok {
		return scan(ctx, l.redis, pattern, handle)
	}
	var nodes []*redis.Client
	seen := map[string]bool{}
	for _, customer := range customers {
		node, err := cluster.MasterForKey(ctx, countersKey(customer))
		if err != nil {
			return fmt.Errorf("find the node of customer %s: %w", customer, err)
		}
		if addr := node.Options().Addr; !seen[addr] {
			seen[addr] = true
			nodes = append(nodes, node)
		}
	}
	for _, node := range nodes {
		if err := scan(ctx, node, pattern, handle); err != nil {
			return err
		}
	}
	return nil
}

func scan(ctx context.Context, client redis.Cmdable, pattern string, handle func(context.Context, []string) error) error {
	const batch = 1000
	for cursor := uint64(0); ; {
		keys, next, err := client.Scan(ctx, cursor, pattern, batch).Result()
		if err != nil {
			return fmt.Errorf("look through the keys: %w", err)
		}
		if err := handle(ctx, keys); err != nil {
			return err
		}
		if cursor = next; cursor == 0 {
			return nil
		}
	}
}

// leftovers checks keys of the customer, given without the prefix.
func (a *auditor) leftovers(ctx context.Context, locals []string) error {
	var records, payloads, timelines, batches []string
	for _, local := range locals {
		switch kind, rest, _ := strings.Cut(local, ":"); kind {
		case "x":
			records = append(records, rest)
		case "p":
			payloads = append(payloads, rest)
		case "s":
			timelines = append(timelines, rest)
		case "b":
			if !strings.Contains(rest, ":") {
				batches = append(batches, rest)
			}
		}
	}
	if err := a.unlistedRecords(ctx, records); err != nil {
		return err
	}
	if err := a.payloadsLeft(ctx, payloads); err != nil {
		return err
	}
	if err := a.timelinesLeft(ctx, timelines); err != nil {
		return err
	}
	return a.unlistedBatches(ctx, batches)
}

// unlistedRecords finds records whose batch does not exist or does not list them.
func (a *auditor) unlistedRecords(ctx context.Context, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	list, err := a.look(ctx, "", ids)
	if err != nil {
		return err
	}
	exists, listed := make([]*redis.IntCmd, len(list)), make([]*redis.StringCmd, len(list))
	sent, err := a.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, f := range list {
			batch := BatchID(a.customer + "-" + f.batch)
			row, _ := strconv.ParseInt(f.row, 10, 64)
			exists[i], listed[i] = p.Exists(ctx, batchKey(batch)), p.LIndex(ctx, rowsKey(batch), row)
		}
		return nil
	})
	if err := failure(sent, err); err != nil {
		return fmt.Errorf("read batches of records: %w", err)
	}
	for i, f := range list {
		batch := BatchID(a.customer + "-" + f.batch)
		switch {
		case f.state == "":
		case exists[i].Val() == 0:
			a.violatef(ViolationNoBatch, batch, f.export, "The export is %s, but its batch does not exist.", f.state)
			a.checkExport(batch, f)
		case listed[i].Val() != f.export:
			a.violatef(ViolationNoBatch, batch, f.export, "The export is %s, but its batch does not list it.", f.state)
			a.checkExport(batch, f)
		}
	}
	return nil
}

// payloadsLeft finds candidate data of finished exports.
func (a *auditor) payloadsLeft(ctx context.Context, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	list, err := a.look(ctx, "", ids)
	if err != nil {
		return err
	}
	for _, f := range list {
		if f.state == "" && f.payload {
			a.violatef(ViolationPayloadLeft, "", f.export, "The export has ended, but the candidate's data still exists.")
		}
	}
	return nil
}

// timelinesLeft finds timelines of finished exports that never expire.
func (a *auditor) timelinesLeft(ctx context.Context, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	live, left := make([]*redis.IntCmd, len(ids)), make([]*redis.DurationCmd, len(ids))
	_, err := a.redis.TxPipelined(ctx, func(p redis.Pipeliner) error {
		for i, id := range ids {
			live[i], left[i] = p.Exists(ctx, recordKey(a.customer, id)), p.TTL(ctx, timelineKey(a.customer, id))
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("read timelines: %w", err)
	}
	var kept []string
	for i, id := range ids {
		const forever = time.Duration(-1) // TTL returns -2 for a missing key
		if live[i].Val() == 0 && left[i].Val() == forever {
			kept = append(kept, id)
		}
	}
	owned, err := a.ownedTimelines(ctx, kept)
	if err != nil {
		return err
	}
	for _, id := range kept {
		if !owned[id] {
			a.violatef(ViolationStoryLeft, "", id, "The export has ended, but its timeline never expires.")
		}
	}
	return nil
}

// ownedTimelines returns the timelines that expire together with a batch.
func (a *auditor) ownedTimelines(ctx context.Context, ids []string) (map[string]bool, error) {
	owned := map[string]bool{}
	if len(ids) == 0 {
		return owned, nil
	}
	members := make([]any, len(ids))
	for i, id := range ids {
		members[i] = id
	}
	err := a.eachBatchPage(ctx, a.customer, func(locals []string) error {
		listed := make([]*redis.BoolSliceCmd, len(locals))
		_, err := a.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
			for i, local := range locals {
				listed[i] = p.SMIsMember(ctx, endedTimelinesKey(BatchID(a.customer+"-"+local)), members...)
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("read timelines of batches: %w", err)
		}
		for _, batch := range listed {
			for i, is := range batch.Val() {
				if is {
					owned[ids[i]] = true
				}
			}
		}
		return nil
	})
	return owned, err
}

// unlistedBatches finds batches missing from the customer's list.
func (a *auditor) unlistedBatches(ctx context.Context, locals []string) error {
	if len(locals) == 0 {
		return nil
	}
	exists := make([]*redis.IntCmd, len(locals))
	listed, tests := make([]*redis.FloatCmd, len(locals)), make([]*redis.FloatCmd, len(locals))
	sent, err := a.redis.TxPipelined(ctx, func(p redis.Pipeliner) error {
		for i, local := range locals {
			exists[i] = p.Exists(ctx, batchKey(BatchID(a.customer+"-"+local)))
			listed[i], tests[i] = p.ZScore(ctx, batchesKey(a.customer), local), p.ZScore(ctx, testsKey(a.customer), local)
		}
		return nil
	})
	if err := failure(sent, err); err != nil {
		return fmt.Errorf("look for batches: %w", err)
	}
	for i, local := range locals {
		if exists[i].Val() == 1 && errors.Is(listed[i].Err(), redis.Nil) && errors.Is(tests[i].Err(), redis.Nil) {
			a.violatef(ViolationHiddenBatch, BatchID(a.customer+"-"+local), "", "The batch is missing from the customer's list of batches.")
		}
	}
	return nil
}
