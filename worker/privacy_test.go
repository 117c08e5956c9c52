package worker_test

import (
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"github.com/seekout/icims-export/icims/icimstest"
	"github.com/seekout/icims-export/store/redistest"
	"github.com/seekout/icims-export/tasks/input"
)

// personalValues are parts of ana's data, and the password. They must appear only in the requests
// to iCIMS.
var personalValues = []string{"Duarte", "ana.duarte", "person-0", "@example.com", "555 01", "4255550143", "linkedin.com/in", "Contoso", "University of Porto", password}

func TestPersonalDataIsSealed(t *testing.T) {
	t.Parallel()
	sim := icimstest.Config{Seed: 5, Faults: icimstest.Faults{
		Error500Before: 0.05, Error500After: 0.05, ResetAfter: 0.05, HTMLError: 0.05, TruncatedJSON: 0.05, AccessDenied404: 0.02,
	}}
	r := newRig(t, rigOptions{sim: sim, settings: shortWaits, conn: limited(300), stopped: true,
		tenant: func(c *icimstest.TenantConfig) { c.PhoneTypes = []string{"Office"} }})
	if zerolog.GlobalLevel() > zerolog.DebugLevel {
		t.Fatal("the log must be at debug level")
	}
	scan := func(when string) {
		if keys := redistest.Dump(t, r.redis).Holding(personalValues...); len(keys) > 0 {
			t.Errorf("%s: personal data in clear in %v", when, keys)
		}
	}
	id := r.send(input.ToJob(job), input.Options{}, people(300)...)
	scan("queued")
	r.start()

	stop := make(chan struct{})
	var scans sync.WaitGroup
	ended := sync.OnceFunc(func() { close(stop); scans.Wait() })
	defer ended() // also if the batch does not end
	scans.Go(func() {
		pause := time.NewTicker(50 * time.Millisecond) // the exports need Redis too
		defer pause.Stop()
		for {
			select {
			case <-stop:
				return
			case <-pause.C:
				scan("while it runs")
			}
		}
	})
	b := r.finished(id)
	ended()
	scan("afterwards")
	for _, telltale := range personalValues {
		if strings.Contains(strings.ToLower(r.logs.String()), strings.ToLower(telltale)) {
			t.Errorf("%q is in the log", telltale)
		}
	}
	if b.Created == 0 || !strings.Contains(r.logs.String(), "iCIMS called") {
		t.Errorf("the run lacks exports: %+v", b)
	}
}
