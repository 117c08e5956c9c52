package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/redis/go-redis/v9"
)

var resealScript = loadEssentialFleetScript("reseal")

// Resealing is the result of one pass over all sealed values.
type Resealing struct {
	// Sealed counts the sealed values by the key found on them.
	Sealed map[KeyID]int
	// Replaced counts values that were sealed again with the primary key.
	Replaced int
	// Unopened counts values whose key is missing or that are damaged.
	Unopened int
	// Moved counts values that changed while being replaced: another pass will find them.
	Moved int
}

// Old returns how many values were sealed with a key other than primary.
func (r Resealing) Old(primary KeyID) int {
	n := 0
	for id, count := range r.Sealed {
		if id != primary {
			n += count
		}
	}
	return n
}

// SealedWith counts all sealed values by key, without opening them.
func (l *Checks) SealedWith(ctx context.Context) (map[KeyID]int, error) {
	w := resealer{base: l.base, found: Resealing{Sealed: map[KeyID]int{}}}
	err := w.walk(ctx)
	return w.found.Sealed, err
}

// Reseal makes one pass over all sealed values and seals those of other keys again with the primary
// key. It takes no lock and leaves values alone that change concurrently. Processes that have not
// loaded the new key may still seal with the old one; the next pass finds those values. Once all
// processes have loaded it and a pass finds no old value, Reseal removes the old keys' check
// values.
func (l *Checks) Reseal(ctx context.Context) (Resealing, error) {
	if err := l.Checks.CheckKeyset(ctx); err != nil {
		return Resealing{}, err
	}
	w := resealer{base: l.base, replace: true, found: Resealing{Sealed: map[KeyID]int{}}}
	if err := w.walk(ctx); err != nil {
		return w.found, err
	}
	if w.found.Old(l.keys.Primary()) > 0 {
		return w.found, nil
	}
	ids, err := l.Checks.CheckedKeys(ctx)
	if err != nil {
		return w.found, err
	}
	var done []KeyID
	for _, id := range ids {
		if id != l.keys.Primary() {
			done = append(done, id)
		}
	}
	return w.found, l.forgetKeys(ctx, done)
}

type resealer struct {
	*base

	replace bool
	mu      sync.Mutex // a cluster's nodes are scanned concurrently
	found   Resealing
}

func (w *resealer) walk(ctx context.Context) error {
	const pattern = keyRoot + "*"
	cluster, ok := w.redis.(*redis.ClusterClient)
	if !ok {
		return scan(ctx, w.redis, pattern, w.page)
	}
	return cluster.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
		return scan(ctx, node, pattern, w.page)
	})
}

// sealedPlace is a key with sealed values.
type sealedPlace struct {
	key, kind string
	fields    []string // of a hash; empty for all
	export    *Ref     // set for a payload, nil otherwise
	to        destination
}

// sealedAt reports whether a key holds sealed values, and how.
func sealedAt(key string) (sealedPlace, bool) {
	if key == apiKeysKey || key == sessionsKey {
		return sealedPlace{key: key, kind: "hash"}, true
	}
	if key == journalDaysKey || strings.HasPrefix(key, keyRoot+"{"+journalPrefix) {
		return sealedPlace{key: key, kind: "string"}, true
	}
	tag, local, ok := strings.Cut(key, "}:")
	if !ok {
		return sealedPlace{}, false
	}
	switch kind, _, _ := strings.Cut(local, ":"); {
	case kind == "p":
		ref := Ref{strings.TrimPrefix(tag, keyRoot+"{"), strings.TrimPrefix(local, "p:")}
		return sealedPlace{key: key, kind: "string", export: &ref}, true
	case kind == "s", kind == "words", local == "conn:h", local == "jobs:l", kind == "b" && strings.HasSuffix(local, ":refused"):
		return sealedPlace{key: key, kind: "list"}, true
	case local == "conn:profile":
		return sealedPlace{key: key, kind: "string"}, true
	case local == "conn":
		return sealedPlace{key: key, kind: "hash", fields: []string{"d"}}, true
	case kind == "errand":
		return sealedPlace{key: key, kind: "hash", fields: []string{"by", "args", "result"}}, true
	case local == "pause":
		return sealedPlace{key: key, kind: "hash", fields: []string{"by", "why"}}, true
	case local == "actions":
		return sealedPlace{key: key, kind: "stream"}, true
	default:
		return sealedPlace{}, false
	}
}

// sealedValues are the values read from one place.
type sealedValues struct {
	sealedPlace

	values []string
	ids    []string // of stream entries
}

func (w *resealer) page(ctx context.Context, keys []string) error {
	var places []sealedPlace
	for _, key := range keys {
		if strings.HasPrefix(key, journalPrefix) {
			if err := w.journal(ctx, key); err != nil {
				return err
			}
		}
		if p, ok := sealedAt(key); ok {
			places = append(places, p)
		}
	}
	if err := w.destinations(ctx, places); err != nil {
		return err
	}
	read, err := w.read(ctx, places)
	if err != nil {
		return err
	}
	var calls []scriptCall
	for _, v := range read {
		if w.count(v.values) == 0 || !w.replace {
			continue
		}
		args, lost := w.resealed(v)
		w.lost(lost)
		if len(args) > 0 {
			calls = append(calls, scriptCall{key: v.key, args: append([]any{v.kind}, args...)})
		}
	}
	return w.replaceAll(ctx, calls)
}

// count counts sealed values by key, and returns how many have an old key.
func (w *resealer) count(values []string) (old int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, value := range values {
		id, ok := SealedBy([]byte(value))
		if !ok {
			continue
		}
		w.found.Sealed[id]++
		if id != w.keys.Primary() {
			old++
		}
	}
	return old
}

func (w *resealer) lost(n int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.found.Unopened += n
}

// replaceAll runs the script for some places and counts the results.
func (w *resealer) replaceAll(ctx context.Context, calls []scriptCall) error {
	answers, err := w.pipelined(ctx, resealScript, calls)
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, answer := range answers {
		switch n, _ := answer.(int64); {
		case answer == nil:
		case n > 0:
			w.found.Replaced += int(n)
		default:
			w.found.Moved++
		}
	}
	return err
}

// journal processes one day of the audit log. The list only grows, so entries keep their positions.
// It may be too long for one round trip.
func (w *resealer) journal(ctx context.Context, key string) error {
	for from := int64(0); ; from += journalPage {
		values, err := w.redis.LRange(ctx, key, from, from+journalPage-1).Result()
		if err != nil {
			return fmt.Errorf("read sealed values: %w", err)
		}
		if w.count(values) > 0 && w.replace {
			args := []any{"items"}
			for i, value := range values {
				if id, ok := SealedBy([]byte(value)); !ok || id == w.keys.Primary() {
					continue
				}
				next, err := w.sealAgain(sealedPlace{key: key}, value)
				if err != nil {
					w.lost(1)
					continue
				}
				args = append(args, from+int64(i), headOf(value), next)
			}
			if len(args) > 1 {
				if err := w.replaceAll(ctx, []scriptCall{{key, args}}); err != nil {
					return err
				}
			}
		}
		if len(values) < journalPage {
			return nil
		}
	}
}

// sealAgain returns a value sealed again with the primary key.
func (w *resealer) sealAgain(at sealedPlace, value string) (string, error) {
	place := at.key
	if at.export != nil {
		place = at.to.place(*at.export)
	}
	data, err := w.keys.Open([]byte(value), place)
	if at.export != nil && errors.Is(err, ErrForged) { // sealed by a version without destinations
		place = at.key
		data, err = w.keys.Open([]byte(value), place)
	}
	if err != nil {
		return "", err
	}
	sealed, err := w.keys.Seal(data, place)
	return string(sealed), err
}

// destinations reads the destinations of the exports whose payloads are among the places.
func (w *resealer) destinations(ctx context.Context, places []sealedPlace) error {
	var refs []Ref
	for _, p := range places {
		if p.export != nil {
			refs = append(refs, *p.export)
		}
	}
	if len(refs) == 0 {
		return nil
	}
	found, err := w.destinationsOf(ctx, refs)
	if err != nil {
		return err
	}
	for i := range places {
		if places[i].export != nil {
			places[i].to, found = found[0], found[1:]
		}
	}
	return nil
}

// read reads the values of places. It leaves out keys deleted in the meantime.
func (w *resealer) read(ctx context.Context, places []sealedPlace) ([]sealedValues, error) {
	if len(places) == 0 {
		return nil, nil
	}
	commands := make([]redis.Cmder, len(places))
	_, err := w.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, place := range places {
			switch place.kind {
			case "string":
				commands[i] = p.Get(ctx, place.key)
			case "list":
				commands[i] = p.LRange(ctx, place.key, 0, -1)
			case "hash":
				if place.fields == nil {
					commands[i] = p.HVals(ctx, place.key)
					continue
				}
				commands[i] = p.HMGet(ctx, place.key, place.fields...)
			default:
				commands[i] = p.XRange(ctx, place.key, "-", "+")
			}
		}
		return nil
	})
	if err != nil && !errors.Is(err, redis.Nil) {
		return nil, fmt.Errorf("read sealed values: %w", err)
	}
	read := make([]sealedValues, len(places))
	for i, place := range places {
		v := sealedValues{sealedPlace: place}
		switch c := commands[i].(type) {
		case *redis.StringCmd:
			v.values = []string{c.Val()}
		case *redis.StringSliceCmd:
			v.values = c.Val()
		case *redis.SliceCmd:
			for _, value := range c.Val() {
				v.values = append(v.values, text(value))
			}
		case *redis.XMessageSliceCmd:
			for _, m := range c.Val() {
				v.ids, v.values = append(v.ids, m.ID), append(v.values, text(m.Values["a"]))
			}
		}
		read[i] = v
	}
	return read, nil
}

// headOf returns the start of a sealed value, enough to identify it: version, key and nonce.
func headOf(sealed string) string {
	const version, id, nonce = 1, 4, 12
	return sealed[:min(len(sealed), version+id+nonce)]
}

// resealed returns the script's arguments for a place, or none if there is nothing to replace, and
// how many values cannot be opened.
func (w *resealer) resealed(v sealedValues) (args []any, unopened int) {
	if v.kind == "stream" {
		args = append(args, len(v.ids), v.ids[0], v.ids[len(v.ids)-1])
	}
	replaced := 0
	for i, value := range v.values {
		next := value
		if id, ok := SealedBy([]byte(value)); ok && id != w.keys.Primary() {
			sealed, err := w.sealAgain(v.sealedPlace, value)
			if err != nil {
				unopened++
			} else {
				next = sealed
				replaced++
			}
		}
		switch {
		case v.kind == "stream":
			args = append(args, v.ids[i], next)
		case next != value:
			args = append(args, headOf(value), next)
		}
	}
	if replaced == 0 {
		return nil, unopened
	}
	return args, unopened
}
