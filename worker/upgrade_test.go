package worker_test

import (
	"compress/gzip"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/icims/icimstest"
	"github.com/seekout/icims-export/internal/testrig"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
	"github.com/seekout/icims-export/tasks"
	"github.com/seekout/icims-export/verify"
	"github.com/seekout/icims-export/worker"
)

// previousVersion is what the version without a task per export left in Redis (commit
// 224b560). Its program and its simulator ran as processes of their own, and the worker,
// a producer and a verification were killed with SIGKILL:
//
//   - 1234: exports of several batches in all states, some of the same people; creates and
//     workflows whose answer was lost, or that the kill cut off; dead letters of a wrong job
//     and of a refused field, one of which had just been retried; a batch of which the
//     producer had sent a part; a verification that ran, a refresh of the job list and a
//     small batch that waited.
//   - 5678: its calls of the day were used up. A verification waited.
//   - 9012: paused in the middle of a batch, with another behind it.
//
// Then every key was read with DUMP and PTTL.
type previousVersion struct {
	Keyset  json.RawMessage          `json:"keyset"`
	Batches map[string]store.BatchID `json:"batches"`
	ICIMS   map[string]struct {
		People    []icimstest.PersonView   `json:"people"`
		Workflows []icimstest.WorkflowView `json:"workflows"`
	} `json:"icims"`
	Redis []struct {
		Key  []byte `json:"key"`
		TTL  int64  `json:"ttl"` // ms; -1: none
		Dump []byte `json:"dump"`
	} `json:"redis"`
}

func readPreviousVersion(t *testing.T) previousVersion {
	t.Helper()
	file, err := os.Open("testdata/previous_version.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	var left previousVersion
	if err := json.NewDecoder(unzipped).Decode(&left); err != nil {
		t.Fatal(err)
	}
	return left
}

// upgraded is a deployment of this version on the Redis of the previous one.
type upgraded struct {
	*rig
	left      previousVersion
	customers []string
	service   *admin.Service
}

// newUpgraded fills Redis and the simulator. It starts no worker.
func newUpgraded(t *testing.T) *upgraded {
	t.Helper()
	left := readPreviousVersion(t)
	u := &upgraded{
		rig:  &rig{t: t, sim: icimstest.New(calm()), logs: &testrig.Log{}},
		left: left, customers: slices.Sorted(maps.Keys(left.ICIMS)),
	}
	u.server = icimstest.NewServer(u.sim)
	t.Cleanup(u.server.Close)
	var conns []store.Connection
	for _, c := range u.customers {
		u.tenants(c)
		conns = append(conns, store.Connection{
			Customer: c, Username: "export-user", Password: password, PortalURLs: u.server.PortalURL(c, 1),
			Limits:  store.Limits{CallsPerSecond: 1000, Burst: 100, InFlight: 16, CallsPerDay: 1_000_000},
			Profile: testrig.Verified(),
		})
	}
	u.store = redistest.Start(t)
	u.redis = u.store.Client(t)
	for _, k := range left.Redis {
		u.must(u.redis.Restore(t.Context(), string(k.Key), time.Duration(max(k.TTL, 0))*time.Millisecond, string(k.Dump)).Err())
	}
	keys, err := store.ParseKeyset(left.Keyset)
	u.must(err)
	u.ledger = store.NewLedger(u.redis, keys)
	u.service = admin.New(admin.Config{Redis: u.redis, Ledger: u.ledger})
	u.worker = u.newWorker(func(s *worker.Settings) {
		shortWaits(s) // creates wait for the settle time after a restart of Redis
		s.AbandonedAfter = time.Nanosecond
		s.RetryBudget = 100 * 365 * 24 * time.Hour // the exports have been failing since the snapshot was taken
	})
	u.worker.ServeControl(store.ControlVerify, verify.Verifier{}.Work())
	u.worker.SetConnections(conns)
	return u
}

// tenants adds the people and workflows that iCIMS had when the previous version was killed.
func (u *upgraded) tenants(customer string) {
	u.t.Helper()
	config := icimstest.DemoTenant(customer, "export-user", password)
	config.DailyLimit = 1_000_000
	config.Behavior = &icimstest.Behavior{DuplicateEmail: icimstest.Allow, DuplicateWorkflow: icimstest.Allow}
	tenant := u.sim.AddTenant(config)
	for _, p := range u.left.ICIMS[customer].People {
		tenant.AddPerson(map[string]any{
			"id": p.ID, "email": p.Fields["email"], "firstname": p.Fields["firstname"], "lastname": p.Fields["lastname"],
		})
	}
	for _, w := range u.left.ICIMS[customer].Workflows {
		if id := tenant.AddWorkflow(w.Person, w.Job, w.StatusID); id != w.ID {
			u.t.Fatalf("workflow %d is %d in the simulator", w.ID, id)
		}
	}
}

// all returns the customer's batches.
func (u *upgraded) all(customer string) []store.Batch {
	u.t.Helper()
	batches, _, err := u.ledger.Batches.Page(u.t.Context(), customer, "", 100)
	u.must(err)
	return batches
}

// states counts the customer's exports by state.
func (u *upgraded) states(customer string) map[store.State]int {
	u.t.Helper()
	n := map[store.State]int{}
	for _, b := range u.all(customer) {
		for _, o := range u.outcomes(b.ID) {
			n[o.State]++
		}
	}
	return n
}

func (u *upgraded) end(customer string) {
	u.t.Helper()
	u.eventually("all batches of "+customer+" end", func() bool {
		return !slices.ContainsFunc(u.all(customer), func(b store.Batch) bool { return b.Ended.IsZero() })
	})
}

// callsOf counts the calls for a customer.
func (u *upgraded) callsOf(customer string) (n int) {
	for _, c := range u.sim.Calls() {
		if c.Customer == customer {
			n++
		}
	}
	return n
}

// agrees checks that asynq has a task for each dead letter except those of the previous version,
// and no other.
func (u *upgraded) agrees(archived map[string]int) {
	u.t.Helper()
	for _, customer := range u.customers {
		u.eventually("asynq agrees with the ledger about "+customer, func() bool {
			got := 0
			for _, queue := range tasks.QueueNames(customer) {
				info, err := u.inspector().GetQueueInfo(queue)
				if err != nil && !strings.Contains(err.Error(), "NOT_FOUND") {
					u.t.Fatal(err)
				}
				if err == nil {
					if info.Pending+info.Active+info.Scheduled+info.Retry > 0 {
						return false
					}
					got += info.Archived
				}
			}
			return got == archived[customer]
		})
	}
}

func TestUpgradeFromPreviousVersion(t *testing.T) {
	t.Parallel()
	u := newUpgraded(t)
	before := map[string]map[store.State]int{}
	for _, c := range u.customers {
		before[c] = u.states(c)
	}
	for _, s := range []store.State{store.Queued, store.Claimed, store.Creating, store.Placing, store.Unknown, store.Retrying, store.Done, store.Dead} {
		if before["1234"][s] == 0 {
			t.Fatalf("no export of 1234 was left %s: %v", s, before)
		}
	}
	if before["5678"][store.Deferred] == 0 || before["9012"][store.Queued] == 0 {
		t.Fatalf("left were %v", before)
	}
	people, workflows := u.sim.Invariants().People, u.sim.Invariants().Workflows

	u.start()
	u.end("1234")
	u.end("5678")

	t.Log("every export ends once")
	for _, c := range []string{"1234", "5678"} {
		after := u.states(c)
		if after[store.Dead] != before[c][store.Dead] || after[store.Done]+after[store.Dead] != sum(after) {
			t.Errorf("%s: %v before, %v after", c, before[c], after)
			for line := range strings.Lines(u.logs.String()) {
				if strings.Contains(line, `"outcome":"dead"`) {
					t.Log(line)
				}
			}
		}
		for _, b := range u.all(c) {
			if b.Accepted != b.Created+b.Updated+b.Skipped+b.Dead {
				t.Errorf("batch %+v", b)
			}
		}
	}

	t.Log("the pause holds")
	paused, err := u.ledger.Lanes.PauseOf(t.Context(), "9012")
	if err != nil || paused == nil || paused.Why != "migration" {
		t.Errorf("the pause is %+v, %v", paused, err)
	}
	u.eventually("asynq's queues are paused", func() bool {
		info, err := u.inspector().GetQueueInfo(tasks.QueueName("9012", store.NormalQueue))
		return err == nil && info.Paused
	})
	if n := u.callsOf("9012"); n != 0 {
		t.Errorf("%d calls for a paused customer", n)
	}
	if got := u.states("9012"); !maps.Equal(got, before["9012"]) {
		t.Errorf("paused: %v before, %v after", before["9012"], got)
	}
	if _, err := u.service.Lanes.Resume(t.Context(), "9012", "maria", "the upgrade is done"); err != nil {
		t.Fatal(err)
	}
	u.end("9012")

	t.Log("verifications and the refresh of a job list end")
	for c, kind := range map[string]store.ControlKind{"1234": store.ControlVerify, "5678": store.ControlVerify} {
		u.controlDone(c, kind)
	}
	u.controlDone("1234", store.ControlJobs)

	t.Log("no duplicates were created")
	u.clean()
	inv := u.sim.Invariants()
	if v := inv.Violations(); len(v) > 0 {
		t.Error(v)
	}
	if made := u.calls("people.create"); made != inv.People-people {
		t.Errorf("%d creates, %d people", made, inv.People-people)
	}
	if made := u.calls("workflows.create"); made != inv.Workflows-workflows {
		t.Errorf("%d creates, %d workflows", made, inv.Workflows-workflows)
	}
	for _, c := range u.customers {
		for _, b := range u.all(c) {
			for _, o := range u.outcomes(b.ID) {
				u.inICIMS(c, b.Job, o)
			}
		}
	}
	u.agrees(map[string]int{})
	u.consistent()

	t.Log("dead letters are retried; one that dies again is archived")
	u.sim.Tenant("1234").AddJob(icimstest.Job{ID: 1799, Title: "The job that was missing", Portals: []int{1}})
	u.sim.AddRule(icimstest.Rule{Customer: "1234", Route: "people.create", Email: "candidate-31@example.com", Fault: icimstest.StatusBefore, Status: 400, Code: 4, Times: -1})
	dead := before["1234"][store.Dead]
	done, err := u.service.DeadLetters.Retry(t.Context(), admin.DeadChoice{Customers: []string{"1234"}}, admin.DeadOrder{Who: "maria", Why: "the job is back"})
	if err != nil || done.Done != dead {
		t.Fatalf("%d of %d retried, %v", done.Done, dead, err)
	}
	u.end("1234")
	if got := u.states("1234"); got[store.Dead] != 1 || got[store.Done] != sum(got)-1 {
		t.Errorf("after the retry %v", got)
	}
	u.agrees(map[string]int{"1234": 1})
	u.clean()
	u.consistent()

	t.Log("the previous version's queue is gone")
	for _, key := range []string{"ix:{1234}:turns", "ix:{1234}:back", "ix:{5678}:turns", "ix:{5678}:back", "ix:{9012}:turns", "ix:{9012}:back", "ix:errands"} {
		if n, err := u.redis.Exists(t.Context(), key).Result(); n != 0 || err != nil {
			t.Errorf("%s is still there, %v", key, err)
		}
	}
	for line := range strings.Lines(u.logs.String()) {
		// This is another Redis server than the previous version's.
		if strings.Contains(line, `"level":"error"`) && !strings.Contains(line, "Redis restarted") {
			t.Errorf("logged: %s", line)
		}
	}
}

func (u *upgraded) controlDone(customer string, kind store.ControlKind) {
	u.t.Helper()
	u.eventually(fmt.Sprintf("%s of %s ends", kind, customer), func() bool {
		task, err := u.ledger.Control.Last(u.t.Context(), customer, kind)
		u.must(err)
		return task.State.Ended()
	})
	// Requests from long ago expire.
	if task, err := u.ledger.Control.Last(u.t.Context(), customer, kind); err != nil || task.State != store.ControlDone && task.Failure != store.ControlExpired {
		u.t.Errorf("%s of %s: %+v, %v", kind, customer, task, err)
	}
}

// inICIMS checks that the ledger's done exports are in iCIMS.
func (u *upgraded) inICIMS(customer string, job int64, o store.Outcome) {
	u.t.Helper()
	if o.State != store.Done {
		return
	}
	tenant := u.sim.Tenant(customer)
	email := fmt.Sprintf("candidate-%s@example.com", strings.TrimLeft(strings.TrimPrefix(o.Candidate, "c-"), "0"))
	if o.Candidate == "c-00000" {
		email = "candidate-0@example.com"
	}
	if ids := tenant.PeopleWithEmail(email); !slices.Equal(ids, []int64{o.Person}) {
		u.t.Errorf("candidate %s is person %d, iCIMS has %v", o.Candidate, o.Person, ids)
	}
	attached := slices.ContainsFunc(tenant.Workflows(), func(w icimstest.WorkflowView) bool {
		return w.ID == o.Workflow && w.Person == o.Person && w.Job == job
	})
	if job != 0 && !attached {
		u.t.Errorf("candidate %s: no workflow %d on job %d", o.Candidate, o.Workflow, job)
	}
}

// consistent expects the consistency check to find nothing.
func (u *upgraded) consistent() {
	u.t.Helper()
	found, err := u.service.Check(u.t.Context(), u.customers, store.CheckOptions{Late: 5 * time.Minute, Pause: 50 * time.Millisecond})
	u.must(err)
	if len(found.Violations) > 0 {
		u.t.Errorf("the check finds %+v", found.Violations)
	}
}

func sum(counts map[store.State]int) (n int) {
	for _, c := range counts {
		n += c
	}
	return n
}
