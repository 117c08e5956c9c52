package worker_test

import (
	"context"
	"fmt"
	"net"
	"reflect"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/internal/testrig"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
	"github.com/seekout/icims-export/worker"
)

// replySize measures the largest reply to a client, in values. A pipeline counts as one reply.
type replySize struct {
	mu      sync.Mutex
	largest int
}

func (r *replySize) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (r *replySize) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		err := next(ctx, cmd)
		r.note(cmd)
		return err
	}
}

func (r *replySize) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		err := next(ctx, cmds)
		r.note(cmds...)
		return err
	}
}

func (r *replySize) note(cmds ...redis.Cmder) {
	n := 0
	for _, c := range cmds {
		n += values(reflect.ValueOf(c).MethodByName("Val").Call(nil)[0])
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.largest = max(r.largest, n)
}

func values(v reflect.Value) int {
	switch v.Kind() {
	case reflect.Interface, reflect.Pointer:
		if v.IsNil() {
			return 0
		}
		return values(v.Elem())
	case reflect.Slice:
		n := 0
		for i := range v.Len() {
			n += values(v.Index(i))
		}
		return n
	case reflect.Map:
		return 2 * v.Len()
	default:
		return 1
	}
}

// The check reads page by page and keeps a bounded number of violations. It finds the last
// violation even so.
func TestAuditMemoryIsBounded(t *testing.T) {
	t.Parallel()
	const exports, batches, markers = 6000, 1500, 8000
	client := redistest.Start(t).Client(t)
	keys, err := store.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	ctx, ledger := t.Context(), store.NewLedger(client, keys)
	const p = "ix:{" + customer + "}:"
	for i := range batches {
		if _, _, err := ledger.Batches.Open(ctx, store.BatchSpec{Customer: customer, IdempotencyKey: fmt.Sprint(i)}); err != nil {
			t.Fatal(err)
		}
	}
	_, refs := testrig.Accept(t, ledger, customer, 0, testrig.Numbered(0, exports)...)
	_, err = client.Pipelined(ctx, func(pipe redis.Pipeliner) error {
		long := time.Now().Add(-time.Hour).UnixMilli()
		for i, ref := range refs {
			// One chunk's worth is due at the same moment.
			pipe.ZAdd(ctx, p+"due", redis.Z{Score: float64(long + int64(i/500)), Member: ref.Export})
		}
		for i := range markers {
			pipe.HSet(ctx, p+"m:2047", fmt.Sprintf("%016x", i), "7|1700000000|")
		}
		pipe.HSet(ctx, p+"m:2047", "last", "broken")
		pipe.Del(ctx, p+"p:"+refs[exports-1].Export)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}

	size := &replySize{}
	client.AddHook(size)
	audits, err := ledger.Checks.Run(ctx, []string{customer}, store.CheckOptions{Late: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	queue, err := worker.AuditQueue(ctx, client, ledger, customer, 0)
	if err != nil {
		t.Fatal(err)
	}
	quick, err := ledger.Checks.Quick(ctx, customer)
	if err != nil || len(quick) > 0 {
		t.Errorf("overview: %+v, %v", quick, err)
	}
	found, kinds := audits[0], map[string]int{}
	for _, v := range append(found.Violations, queue.Violations...) {
		kinds[v.Kind]++
		if v.Kind == store.ViolationPayloadMissing && v.Export != refs[exports-1].Export {
			t.Errorf("%+v", v)
		}
	}
	if found.Batches != batches+1 || found.Accepted != exports || found.Moving != exports || found.Markers < markers {
		t.Errorf("%d batches, %d accepted, %d moving, %d markers", found.Batches, found.Accepted, found.Moving, found.Markers)
	}
	if kinds[store.ViolationPayloadMissing] != 1 || kinds[store.ViolationMarker] != 1 {
		t.Errorf("violations %v", kinds)
	}
	const most = 1000
	if kinds[store.ViolationStuck] != most || found.More[store.ViolationStuck] != exports-most {
		t.Errorf("%d stuck exports reported, %v more", kinds[store.ViolationStuck], found.More)
	}
	if kinds[worker.ViolationNoTask] != most || queue.More[worker.ViolationNoTask] != exports-most || queue.Count() != exports {
		t.Errorf("%d exports without a task reported, %v more", kinds[worker.ViolationNoTask], queue.More)
	}
	// The largest page has 500 exports of seven values each.
	if size.largest == 0 || size.largest > 4000 {
		t.Errorf("a reply had %d values", size.largest)
	}
}
