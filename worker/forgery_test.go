package worker_test

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/icims/icimstest"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
	"github.com/seekout/icims-export/tasks/input"
)

// check returns the kinds of violations that `icims-export check` finds for a customer.
func (r *rig) check(customer string) string {
	r.t.Helper()
	service := admin.New(admin.Config{Redis: r.redis, Ledger: r.ledger})
	found, err := service.Check(r.t.Context(), []string{customer}, store.CheckOptions{Late: store.DefaultCheckOptions().Late})
	if err != nil {
		r.t.Fatal(err)
	}
	var kinds []string
	for _, v := range found.Violations {
		kinds = append(kinds, v.Kind)
	}
	return strings.Join(kinds, " ")
}

// local is a batch's ID in keys.
func local(id store.BatchID) string {
	_, name, _ := strings.Cut(string(id), "-")
	return name
}

// A task that names one customer's export in another customer's queue sends nothing, in any of
// the queues.
func TestForgedTaskIsRefused(t *testing.T) {
	t.Parallel()
	for _, queue := range []string{tasks.QueueName("1002", store.NormalQueue), tasks.QueueName("1002", store.ExpressQueue)} {
		t.Run(queue, func(t *testing.T) {
			t.Parallel()
			f := newFleet(t, 2, nil)
			before, own := len(f.sim.Tenant("1002").People()), len(f.sim.Tenant("1001").People())
			mine := f.sendTo("1001", 1)
			exports, err := f.ledger.Batches.Outcomes(t.Context(), mine, 0, 10)
			if err != nil || len(exports) != 1 {
				t.Fatal(exports, err)
			}
			payload, _ := json.Marshal(map[string]any{"customer": "1001", "export": exports[0].Export})
			client := asynq.NewClientFromRedisClient(f.redis)
			if _, err := client.Enqueue(asynq.NewTask(tasks.TypeExport, payload), asynq.Queue(queue), asynq.TaskID("forged")); err != nil {
				t.Fatal(err)
			}
			theirs := f.sendTo("1002", 30) // opens the lane
			m := f.join(nil, f.conns[1])   // serves 1002 alone
			f.expect("the other customer's batch ends", func() bool {
				b, err := f.ledger.Batches.Get(t.Context(), theirs)
				return err == nil && b.Created == 30
			})
			f.expect("the forged task is gone", func() bool {
				_, err := asynq.NewInspectorFromRedisClient(f.redis).GetTaskInfo(queue, "forged")
				return err != nil
			})
			if people := f.sim.Tenant("1002").People(); len(people) != before+30 {
				t.Errorf("%d more people in the other customer's iCIMS", len(people)-before)
			}
			if o, err := f.ledger.Batches.Outcomes(t.Context(), mine, 0, 1); err != nil || o[0].State != store.Queued {
				t.Errorf("the export is %s, %v", o[0].State, err)
			}
			if n := m.told("1002", "task refused: it names another customer's export", ""); n == 0 {
				t.Error("the log says nothing")
			}
			if kinds := f.check("1002"); !strings.Contains(kinds, store.ViolationForgedTask) {
				t.Errorf("the check found %q", kinds)
			}
			f.join(nil) // serves both
			f.expect("the export is done in its own iCIMS", func() bool {
				b, err := f.ledger.Batches.Get(t.Context(), mine)
				return err == nil && b.Created == 1 && len(f.sim.Tenant("1001").People()) == own+1
			})
		})
	}
}

// Payloads of versions that did not bind the target were accepted before an update. They are
// exported to the target of their batch, and cannot be opened for another export.
func TestPayloadsOfEarlierVersionsAreExported(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{sim: calm(), stopped: true})
	id := r.send(input.ToJob(job), input.Options{}, people(2)...)
	exports := r.outcomes(id)
	for i, e := range exports {
		ref := store.Ref{Customer: customer, Export: e.Export}
		data, err := r.ledger.DeadLetters.Payload(t.Context(), ref)
		if err != nil {
			t.Fatal(err)
		}
		key := "ix:{" + customer + "}:p:" + e.Export
		place := key
		if i == 1 { // moved there from elsewhere
			place += "x"
		}
		sealed, err := r.ledger.Keys().Seal(data, place)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.redis.Set(t.Context(), key, sealed, 0).Err(); err != nil {
			t.Fatal(err)
		}
	}
	if kinds := r.check(customer); kinds != store.ViolationForgedExport {
		t.Errorf("the check found %q", kinds)
	}
	r.start()
	if b := r.finished(id); b.Created != 1 || b.Dead != 1 {
		t.Errorf("%d created, %d dead", b.Created, b.Dead)
	}
}

// A person inserted into a waiting export's record is not linked to the job.
func TestForgedPersonIsIgnored(t *testing.T) {
	t.Parallel()
	for name, proof := range map[string]string{"without a proof": "", "with a foreign proof": "aaaaaaaaaaaaaaaa"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, rigOptions{sim: calm(), stopped: true})
			victim := r.tenant.AddPerson(map[string]any{"firstname": "Somebody", "lastname": "Else", "email": "victim@example.com"})
			id := r.send(input.ToJob(job), input.Options{}, ana())
			record := "ix:{" + customer + "}:x:" + r.outcomes(id)[0].Export
			r.must(r.redis.HSet(t.Context(), record, "pe", victim, "pm", "u").Err())
			if proof != "" {
				r.must(r.redis.HSet(t.Context(), record, "person_proof", proof).Err())
			}
			r.start()
			if b := r.finished(id); b.Created != 1 {
				t.Errorf("%+v", b)
			}
			for _, w := range r.tenant.Workflows() {
				if w.Person == victim {
					t.Error("a stranger is linked to the job")
				}
			}
			if r.tenant.PeopleWithEmail(ana().Email) == nil {
				t.Error("the candidate is not in iCIMS")
			}
			if kinds := r.check(customer); kinds != store.ViolationForgedExport {
				t.Errorf("the check found %q", kinds)
			}
		})
	}
}

// A person inserted into Redis as recently known under the candidate's email is neither updated
// nor linked to the job. An inserted workflow does not count either.
func TestForgedKnownPersonIsIgnored(t *testing.T) {
	t.Parallel()
	stranger := map[string]any{"firstname": "Somebody", "lastname": "Else", "email": "victim@example.com"}
	known := func(r *rig, email string) string {
		return "ix:{" + customer + "}:k:" + r.ledger.Keys().EmailHash(customer, email)
	}
	untouched := func(t *testing.T, r *rig, victim int64, b store.Batch) {
		t.Helper()
		if b.Created != 1 {
			t.Errorf("%+v", b)
		}
		if p, _ := r.tenant.Person(victim); p["firstname"] != "Somebody" {
			t.Errorf("the stranger is now %v", p["firstname"])
		}
		for _, w := range r.tenant.Workflows() {
			if w.Person == victim {
				t.Error("the stranger is linked to the job")
			}
		}
	}
	t.Run("a person recorded under another email", func(t *testing.T) {
		t.Parallel()
		r := newRig(t, rigOptions{sim: calm()})
		other := people(1)[0]
		other.ID, other.Email = "c-other", "other@example.com"
		made := r.outcomes(r.run(input.Prospects, input.Options{}, other).ID)[0].Person
		victim := r.tenant.AddPerson(stranger)
		r.tenant.Merge(made, victim)
		value, err := r.redis.Get(t.Context(), known(r, other.Email)).Result()
		r.must(err)
		r.must(r.redis.Set(t.Context(), known(r, ana().Email), value, time.Hour).Err())
		untouched(t, r, victim, r.run(input.ToJob(job), input.Options{}, ana()))
	})
	for name, proof := range map[string]string{"without a proof": "", "with a foreign proof": "aaaaaaaaaaaaaaaa"} {
		forge := func(r *rig, person, workflow int64) {
			value := fmt.Sprintf("%d|=%s", person, proof)
			if workflow != 0 {
				value += fmt.Sprintf(",%d:%d,%d=%s", job, workflow, job, proof)
			}
			r.must(r.redis.Set(t.Context(), known(r, ana().Email), value, time.Hour).Err())
		}
		t.Run("a person merged into a stranger, "+name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, rigOptions{sim: calm()})
			victim := r.tenant.AddPerson(stranger)
			merged := r.tenant.AddPerson(map[string]any{"firstname": "Some", "lastname": "Body", "email": "body@example.com"})
			r.tenant.Merge(merged, victim)
			forge(r, merged, 0)
			untouched(t, r, victim, r.run(input.ToJob(job), input.Options{}, ana()))
			if kinds := r.check(customer); kinds != store.ViolationForgedExport {
				t.Errorf("the check found %q", kinds)
			}
		})
		t.Run("a stranger with a hidden email, "+name, func(t *testing.T) {
			t.Parallel()
			r := tenantRig(t, icimstest.Behavior{EmailView: icimstest.Hidden}, store.TenantProfile{})
			victim := r.tenant.AddPerson(stranger)
			forge(r, victim, 0)
			untouched(t, r, victim, r.run(input.ToJob(job), input.Options{}, ana()))
		})
		t.Run("a missing workflow, "+name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, rigOptions{sim: calm()})
			person := r.tenant.AddPerson(map[string]any{"firstname": ana().FirstName, "lastname": ana().LastName, "email": ana().Email})
			forge(r, person, 4711)
			b := r.run(input.ToJob(job), input.Options{}, ana())
			if o := r.outcomes(b.ID)[0]; o.Person != person || o.Workflow == 4711 || len(r.tenant.Workflows()) != 1 {
				t.Errorf("%+v", o)
			}
		})
	}
}

// Earlier versions recorded people without a proof: they are read once, then used.
func TestPersonOfAnEarlierVersionIsUsed(t *testing.T) {
	t.Parallel()
	r := newRig(t, rigOptions{sim: calm(), stopped: true})
	person := r.tenant.AddPerson(map[string]any{"firstname": ana().FirstName, "lastname": ana().LastName, "email": ana().Email})
	id := r.send(input.ToJob(job), input.Options{}, ana())
	export := r.outcomes(id)[0].Export
	r.must(r.redis.HSet(t.Context(), "ix:{"+customer+"}:x:"+export, "pe", person, "pm", "c").Err())
	r.start()
	r.finished(id)
	if o := r.outcomes(id)[0]; o.Person != person || o.Workflow == 0 || len(r.tenant.PeopleWithEmail(ana().Email)) != 1 {
		t.Errorf("%+v", o)
	}
	if kinds := r.check(customer); kinds != "" {
		t.Errorf("the check found %q", kinds)
	}
}

// If a waiting candidate's target, options or user are changed in Redis, the export becomes a
// dead letter, and nothing is sent.
func TestChangedDestinationIsRefused(t *testing.T) {
	t.Parallel()
	type keys struct{ batch, record, other, customer string }
	for name, forge := range map[string]func(context.Context, redis.UniversalClient, keys) error{
		"target": func(ctx context.Context, c redis.UniversalClient, k keys) error {
			return c.HSet(ctx, k.batch, "t", "j1702").Err()
		},
		"target of prospects": func(ctx context.Context, c redis.UniversalClient, k keys) error {
			return c.HSet(ctx, k.batch, "t", "p").Err()
		},
		"options": func(ctx context.Context, c redis.UniversalClient, k keys) error {
			return c.HSet(ctx, k.batch, "o", "di").Err()
		},
		"batch": func(ctx context.Context, c redis.UniversalClient, k keys) error {
			return c.HSet(ctx, k.record, "b", k.other).Err()
		},
		"candidate": func(ctx context.Context, c redis.UniversalClient, k keys) error {
			return c.HSet(ctx, k.record, "c", "c-foreign").Err()
		},
		"e-mail": func(ctx context.Context, c redis.UniversalClient, k keys) error {
			return c.HSet(ctx, k.record, "eh", "aaaaaaaaaaaaaaaa").Err()
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, rigOptions{sim: calm(), stopped: true})
			stranger := people(1)[0]
			other := r.send(input.ToJob(1702), input.Options{}, stranger)
			id := r.send(input.ToJob(job), input.Options{}, ana())
			export := r.outcomes(id)[0].Export
			k := keys{"ix:{" + customer + "}:b:" + local(id), "ix:{" + customer + "}:x:" + export, local(other), customer}
			if err := forge(t.Context(), r.redis, k); err != nil {
				t.Fatal(err)
			}
			if kinds := r.check(customer); !strings.Contains(kinds, store.ViolationForgedExport) && name != "e-mail" && name != "batch" {
				t.Errorf("before a worker started, the check found %q", kinds)
			}
			r.start()
			r.eventually("the export is a dead letter", func() bool {
				d, err := r.ledger.DeadLetters.Get(t.Context(), store.Ref{Customer: customer, Export: export})
				return err == nil && d.Reason == store.ReasonForged
			})
			if r.tenant.PeopleWithEmail(ana().Email) != nil {
				t.Error("the candidate is in iCIMS")
			}
			if kinds := r.check(customer); !strings.Contains(kinds, store.ViolationForgedExport) {
				t.Errorf("the check found %q", kinds)
			}
		})
	}
}
