package worker

import (
	"fmt"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/rs/zerolog"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/internal/testrig"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
	"github.com/seekout/icims-export/tasks"
)

// An export that was being put off when limits were raised gets to the waiting ones after
// the first look.
func TestWhatIsBeingPutOffIsHurriedAsWell(t *testing.T) {
	t.Parallel()
	const customer = "1234"
	client := redistest.Shared(t).Client(t)
	keys, err := store.NewKeyset()
	if err != nil {
		t.Fatal(err)
	}
	w := New(client, store.NewLedger(client, keys), DefaultSettings(), icims.HostPolicy{}, zerolog.Nop())
	queue, producer, inspector := tasks.BulkQueue(customer), asynq.NewClientFromRedisClient(client), asynq.NewInspectorFromRedisClient(client)
	putOff := func() {
		if _, err := producer.Enqueue(asynq.NewTask("later", nil), asynq.Queue(queue), asynq.ProcessIn(time.Hour)); err != nil {
			t.Fatal(err)
		}
	}
	due := func(n int) {
		t.Helper()
		testrig.Eventually(t, fmt.Sprintf("%d are due", n), func() bool {
			info, err := inspector.GetQueueInfo(queue)
			return err == nil && info.Pending == n
		})
	}
	ended := make(chan struct{})
	done := make(chan struct{})
	putOff()
	go func() { defer close(done); w.hurryTwice(customer, ended) }()
	due(1)
	putOff()
	due(2)
	<-done

	close(ended)
	w.hurryTwice(customer, ended) // a worker that stops waits for nothing
}
