package store

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// An errand is work for a customer's iCIMS that is no export: a verification, a
// refresh of the list of jobs, a read-back. A worker does it, since it is the workers' address
// that iCIMS knows. It is no task of the queue: a lane that is closed, as after
// refused credentials, takes none, and an errand must get through just then.

// ErrandKind is what an errand is for. Of one kind a customer has at most one that
// waits or runs.
type ErrandKind string

// The kinds of errands.
const (
	ErrandVerify   ErrandKind = "verify"    // look whether the connection works
	ErrandJobs     ErrandKind = "jobs"      // read the jobs of its portals
	ErrandReadBack ErrandKind = "read_back" // read exported people and workflows back
)

// ErrandKinds lists all kinds.
func ErrandKinds() []ErrandKind { return []ErrandKind{ErrandVerify, ErrandJobs, ErrandReadBack} }

// ErrandState is where an errand stands.
type ErrandState string

// The states of an errand.
const (
	ErrandWaiting ErrandState = "waiting" // for a worker
	ErrandRunning ErrandState = "running"
	ErrandDone    ErrandState = "done"
	ErrandFailed  ErrandState = "failed" // without a complete result, see Failure
)

// Ended reports whether nothing more will happen to it.
func (s ErrandState) Ended() bool { return s == ErrandDone || s == ErrandFailed }

// ErrandFailure says why an errand was not done. What iCIMS answers is a result,
// not a failure.
type ErrandFailure string

// Why errands fail.
const (
	ErrandNoConnection ErrandFailure = "no_connection"     // the customer has none, or none any more
	ErrandSealed       ErrandFailure = "connection_sealed" // the worker's keyset cannot open it
	ErrandUnusable     ErrandFailure = "connection_unusable"
	ErrandChanged      ErrandFailure = "connection_changed" // while it was being done
	ErrandExpired      ErrandFailure = "expired"            // no worker came for it in an hour
	ErrandGaveUp       ErrandFailure = "gave_up"            // its workers died, again and again
	ErrandInternal     ErrandFailure = "internal"           // the worker's log says more
)

var errandFailures = map[ErrandFailure]ReasonInfo{
	ErrandNoConnection: {"The customer has no connection.", "Enter one: icims-export connection add."},
	ErrandSealed:       {"The workers' keyset cannot open the connection.", "Give the workers the newest keyset: icims-export keys status."},
	ErrandUnusable:     {"The connection has settings that are wrong.", "Correct them: icims-export connection show tells which."},
	ErrandChanged:      {"The connection was changed meanwhile.", "Verify it again as it is now."},
	ErrandExpired:      {"No worker came for it in an hour.", "Start a worker (icims-export worker), and ask again."},
	ErrandGaveUp:       {"The workers that began it died, again and again.", "See in the workers' logs what ended them, and ask again."},
	ErrandInternal:     {"An unexpected fault of this service.", "See in the workers' logs, by the customer, what happened, and ask again."},
}

// Info explains a failure to a person.
func (f ErrandFailure) Info() ReasonInfo {
	if info, ok := errandFailures[f]; ok {
		return info
	}
	return ReasonInfo{Title: string(f), Hint: "A newer version of this service recorded it."}
}

// Errand is one errand as the store keeps it: the last 20 of a kind, for as long
// as outcomes are kept.
type Errand struct {
	ID       string        `json:"id"`
	Customer string        `json:"customer"`
	Kind     ErrandKind    `json:"kind"`
	By       string        `json:"by,omitempty"` // who asked
	State    ErrandState   `json:"state"`
	Failure  ErrandFailure `json:"failure,omitempty"`
	// Asked, Began and Ended are by Redis's clock.
	Asked time.Time `json:"asked"`
	Began time.Time `json:"began,omitzero"`
	Ended time.Time `json:"ended,omitzero"`
	// Calls to iCIMS that it took so far.
	Calls int `json:"calls"`
	// Tries is how often it was begun, but for workers that handed it back.
	Tries int `json:"tries,omitempty"`
	// Args and Result are the kind's own, as JSON. A running errand may show what it
	// has found so far.
	Args   json.RawMessage `json:"args,omitempty"`
	Result json.RawMessage `json:"result,omitempty"`
	// Revision grows with each change, for those who follow it.
	Revision int64 `json:"revision"`
}

// ErrNoErrand: there is no such errand, or none any more.
var ErrNoErrand = errors.New("there is no such errand")

// keptErrands is how many errands of a kind are kept for a customer.
const keptErrands = 20

var (
	askErrandScript   = loadFleetScript("errand_ask")
	claimErrandScript = loadFleetScript("errand_claim")
	stepErrandScript  = loadEssentialFleetScript("errand_step")
	doneErrandScript  = loadEssentialFleetScript("errand_done")
)

// AskErrand asks for an errand. Where one of the kind waits or runs for the customer
// the asker joins it (joined), whatever the arguments of that one are. args are
// encoded as JSON; by says who asks.
func (l *Ledger) AskErrand(ctx context.Context, customer string, kind ErrandKind, args any, by string) (e Errand, joined bool, err error) {
	if !ValidCustomer(customer) {
		return Errand{}, false, fmt.Errorf("ask for an errand: %q is no customer id", customer)
	}
	id := strings.ToLower(rand.Text()[:16])
	key := errandKey(customer, id)
	sealedArgs, err := l.sealJSON(args, key)
	if err != nil {
		return Errand{}, false, err
	}
	sealedBy, err := l.keys.Seal([]byte(by), key)
	if err != nil {
		return Errand{}, false, err
	}
	answer, err := l.run(ctx, askErrandScript, errandsOf(customer, kind),
		prefix(customer), id, string(kind), sealedBy, sealedArgs, keptErrands, l.retention.Milliseconds())
	if err != nil {
		return Errand{}, false, err
	}
	joined, id = text(answer[0]) == "joined", text(answer[1])
	// Also for one that was joined: its first asker may have died before this.
	if err := l.announceErrand(ctx, customer, kind); err != nil {
		return Errand{}, false, err
	}
	e, err = l.Errand(ctx, customer, kind, id)
	return e, joined, err
}

func (l *Ledger) announceErrand(ctx context.Context, customer string, kind ErrandKind) error {
	err := announceScript.of(l).Run(ctx, l.redis, []string{errandsKey}, errandMember(customer, kind), flag(false)).Err()
	if err != nil {
		return fmt.Errorf("announce an errand: %w", err)
	}
	l.publish(ctx, lanesChannel, customer+errandMark+string(kind))
	return nil
}

// errandMark parts customer and kind in a message about an errand.
const errandMark = " errand "

func errandMember(customer string, kind ErrandKind) string { return customer + ":" + string(kind) }

// sealJSON encodes and seals a value; "" for none.
func (l *Ledger) sealJSON(v any, place string) (string, error) {
	if v == nil {
		return "", nil
	}
	data, err := json.Marshal(v)
	if err != nil {
		return "", fmt.Errorf("encode an errand: %w", err)
	}
	sealed, err := l.keys.Seal(data, place)
	return string(sealed), err
}

// Errand reads an errand. It returns ErrNoErrand where there is none of that kind
// and id.
func (l *Ledger) Errand(ctx context.Context, customer string, kind ErrandKind, id string) (Errand, error) {
	fields, err := l.redis.HGetAll(ctx, errandKey(customer, id)).Result()
	if err != nil {
		return Errand{}, fmt.Errorf("read an errand: %w", err)
	}
	e, err := l.readErrand(customer, id, fields)
	if err == nil && e.Kind != kind {
		return Errand{}, ErrNoErrand
	}
	return e, err
}

// Errands reads the errands of a kind, the latest first: the last 20. What a lost key
// has sealed is left out.
func (l *Ledger) Errands(ctx context.Context, customer string, kind ErrandKind) ([]Errand, error) {
	ids, err := l.redis.LRange(ctx, errandsOf(customer, kind), 0, keptErrands-1).Result()
	if err != nil || len(ids) == 0 {
		return nil, wrapped("list errands", err)
	}
	read := make([]*redis.MapStringStringCmd, len(ids))
	_, err = l.redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, id := range ids {
			read[i] = p.HGetAll(ctx, errandKey(customer, id))
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read errands: %w", err)
	}
	var list []Errand
	for i, id := range ids {
		e, err := l.readErrand(customer, id, read[i].Val())
		switch {
		case errors.Is(err, ErrNoErrand), errors.Is(err, ErrSealed):
		case err != nil:
			return nil, err
		default:
			list = append(list, e)
		}
	}
	return list, nil
}

// LastErrand reads the latest errand of a kind. It returns ErrNoErrand where there is
// none, or where a lost key has sealed it: then it says nothing, and another is asked
// for.
func (l *Ledger) LastErrand(ctx context.Context, customer string, kind ErrandKind) (Errand, error) {
	id, err := l.redis.LIndex(ctx, errandsOf(customer, kind), 0).Result()
	if errors.Is(err, redis.Nil) {
		return Errand{}, ErrNoErrand
	}
	if err != nil {
		return Errand{}, fmt.Errorf("find the last errand: %w", err)
	}
	e, err := l.Errand(ctx, customer, kind, id)
	if errors.Is(err, ErrSealed) {
		return Errand{}, ErrNoErrand
	}
	return e, err
}

// LastDone reads the latest errand of a kind that was done, of each customer that has
// one, all in one round trip. What a lost key has sealed is left out.
func (l *Ledger) LastDone(ctx context.Context, kind ErrandKind, customers ...string) (map[string]Errand, error) {
	calls := make([]scriptCall, len(customers))
	for i, customer := range customers {
		calls[i] = scriptCall{errandsOf(customer, kind), []any{prefix(customer)}}
	}
	answers, err := l.pipelined(ctx, doneErrandScript, calls)
	if err != nil {
		return nil, err
	}
	found := map[string]Errand{}
	for i, customer := range customers {
		answer, _ := answers[i].([]any)
		if len(answer) == 0 {
			continue
		}
		e, err := l.readErrand(customer, text(answer[0]), pairs(answer[1:]))
		switch {
		case errors.Is(err, ErrSealed):
		case err != nil:
			return nil, err
		default:
			found[customer] = e
		}
	}
	return found, nil
}

func wrapped(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", doing, err)
}

func (l *Ledger) readErrand(customer, id string, fields map[string]string) (Errand, error) {
	if len(fields) == 0 {
		return Errand{}, ErrNoErrand
	}
	e := Errand{
		ID: id, Customer: customer, Kind: ErrandKind(fields["k"]), State: ErrandState(fields["st"]), Failure: ErrandFailure(fields["f"]),
		Asked: millis(fields["asked"]), Calls: int(number(fields["calls"])), Tries: int(number(fields["tries"])), Revision: number(fields["rev"]),
	}
	for name, at := range map[string]*time.Time{"began": &e.Began, "ended": &e.Ended} {
		if fields[name] != "" {
			*at = millis(fields[name])
		}
	}
	for name, into := range map[string]*json.RawMessage{"args": &e.Args, "result": &e.Result} {
		if fields[name] == "" {
			continue
		}
		data, err := l.keys.Open([]byte(fields[name]), errandKey(customer, id))
		if err != nil {
			return Errand{}, fmt.Errorf("errand %s of customer %s: %w", id, customer, err)
		}
		*into = data
	}
	if by, err := l.keys.Open([]byte(fields["by"]), errandKey(customer, id)); err == nil {
		e.By = string(by)
	}
	return e, nil
}

// followEvery is how often an errand is looked at that somebody follows.
const followEvery = 100 * time.Millisecond

// AwaitErrand waits until an errand has changed since it was read, and returns it
// as it is then. At the end of ctx it returns the errand as it was last, and no
// error.
func (l *Ledger) AwaitErrand(ctx context.Context, seen Errand) (Errand, error) {
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return seen, nil
		case <-tick.C:
		}
		revision, err := l.redis.HGet(ctx, errandKey(seen.Customer, seen.ID), "rev").Result()
		switch {
		case ctx.Err() != nil:
			return seen, nil
		case errors.Is(err, redis.Nil):
			return seen, ErrNoErrand
		case err != nil:
			return seen, fmt.Errorf("follow an errand: %w", err)
		case revision != strconv.FormatInt(seen.Revision, 10):
			return l.Errand(ctx, seen.Customer, seen.Kind, seen.ID)
		}
	}
}
