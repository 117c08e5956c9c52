package icimstest

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// hostileTenant has people with similar, odd and changed addresses, some of them hidden, merged,
// purged or not yet searchable, and their workflows.
func hostileTenant(rng *rand.Rand, now func() time.Time) *Tenant {
	cfg := calm()
	cfg.Now = now
	cfg.Faults.SearchLag = time.Minute
	if rng.IntN(2) == 0 {
		cfg.Behavior.SearchEmailCase = Insensitive
	}
	if rng.IntN(2) == 0 {
		cfg.Behavior.TextValues = Any
	}
	if rng.IntN(4) == 0 {
		cfg.Behavior.GroupOr = First
	}
	tenant := New(cfg).AddTenant(TenantConfig{Customer: customer, Username: "user", Password: "secret"})
	for id := int64(1); id <= 3; id++ {
		tenant.AddJob(Job{ID: id, Title: fmt.Sprint("Job ", id)})
	}
	var ids []int64
	for i := range 60 {
		id := tenant.AddPerson(map[string]any{"firstname": "Ana", "lastname": "Duarte", "email": fmt.Sprintf("p%d@example.com", i)})
		tenant.change(id, anAddress(rng), true)
		ids = append(ids, id)
	}
	pick := func() int64 { return ids[rng.IntN(len(ids))] }
	for range 80 {
		tenant.AddWorkflow(pick(), 1+rng.Int64N(3), "D10100")
	}
	for range 20 {
		tenant.change(pick(), anAddress(rng), rng.IntN(2) == 0)
	}
	for range 4 {
		tenant.Hide("person", pick())
		tenant.Purge(pick())
		_ = tenant.merge(pick(), pick()) // fails if one of the two is deleted
	}
	return tenant
}

// change sets a person's address; searches see it at once or later.
func (t *Tenant) change(id int64, email string, visible bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	p := t.people[id]
	if p == nil {
		return
	}
	fields := map[string]any{"firstname": "Bo", "email": email}
	t.storePerson(p, fields, t.sim.cfg.Now(), visible)
}

func oneOf(rng *rand.Rand, of ...string) string { return of[rng.IntN(len(of))] }

func anAddress(rng *rand.Rand) string {
	local := oneOf(rng, "", "a", "ab", "ana", "mariana", "Ana.Duarte", "ana.duarte", "x@ana.duarte", "ÀNA.É", "àna.é", "İana", "no-email--35")
	return local + oneOf(rng, "", "", "1", "2") + oneOf(rng, "@", "@", "@", "") + oneOf(rng, "example.com", "EXAMPLE.com", "example.org", "b.example.com@example.com")
}

// aValue returns an address, a different spelling of one, or a part of one.
func aValue(rng *rand.Rand) string {
	v := []rune(anAddress(rng))
	if rng.IntN(3) == 0 {
		from := rng.IntN(len(v) + 1)
		v = v[from : from+rng.IntN(len(v)-from+1)]
	}
	return string(v)
}

func aSearch(rng *rand.Rand, prefix string, depth int) map[string]any {
	filters, children := []any{}, []any{}
	for range 1 + rng.IntN(2) {
		var name, op string
		var value []string
		switch kind := rng.IntN(8); {
		case kind < 5:
			name, op = oneOf(rng, "person.email", "person.email", "person.emailaddress"), oneOf(rng, "=", "==", "=", "==", "!=", "!==")
			for range 1 + rng.IntN(4) {
				value = append(value, aValue(rng))
			}
		case kind == 5 && prefix != "":
			name, op, value = "job.id", "=", []string{oneOf(rng, "1", "2", "9")}
		default:
			name, op = oneOf(rng, "person.id", "person.id", "person.idCSV"), oneOf(rng, "=", "=", ">", "!=")
			for range 1 + rng.IntN(2) {
				value = append(value, oneOf(rng, "", " 90003", itoa(90_000+rng.Int64N(64))))
			}
		}
		filters = append(filters, map[string]any{"name": prefix + name, "operator": op, "value": value})
	}
	if depth > 0 && rng.IntN(3) == 0 {
		children = append(children, aSearch(rng, prefix, depth-1))
	}
	return map[string]any{"operator": oneOf(rng, "&", "&", "|"), "filters": filters, "children": children}
}

func TestSearchByIndexFindsWhatALookAtEveryoneFinds(t *testing.T) {
	narrowed := 0
	for seed := range uint64(40) {
		rng := rand.New(rand.NewPCG(seed, 1))
		tenant := hostileTenant(rng, func() time.Time { return noon })
		for range 100 {
			for _, kind := range []string{"people", "workflows"} {
				prefix := ""
				if kind == "workflows" {
					prefix = "applicantworkflow."
				}
				raw, err := json.Marshal(aSearch(rng, prefix, 1))
				if err != nil {
					t.Fatal(err)
				}
				g, bad := parseGroup(raw)
				if bad != nil {
					t.Fatalf("%s: %s", raw, bad.message())
				}
				lag := time.Duration(rng.IntN(2)) * time.Minute
				var candidates, everyone []int64
				var hit func(int64) bool
				if kind == "people" {
					match, bad := compile(&g, tenant.customFilters(), tenant.behaviour)
					if bad != nil {
						t.Fatalf("%s: %s", raw, bad.message())
					}
					candidates, everyone = tenant.candidatePeople(g), tenant.order
					hit = func(id int64) bool {
						h, visible := tenant.personHit(id, noon, lag)
						return visible && match(h)
					}
				} else {
					match, bad := compile(&g, workflowFilters, tenant.behaviour)
					if bad != nil {
						t.Fatalf("%s: %s", raw, bad.message())
					}
					candidates, everyone = tenant.candidateWorkflows(g), tenant.flowOrder
					hit = func(id int64) bool {
						h, visible := tenant.workflowHit(id, noon, lag)
						return visible && match(h)
					}
				}
				if len(candidates) < len(everyone) {
					narrowed++
				}
				if !slices.IsSorted(candidates) {
					t.Fatalf("candidates out of order for %s", raw)
				}
				if diff := cmp.Diff(firstHits(everyone, hit), firstHits(candidates, hit)); diff != "" {
					t.Fatalf("%s by %s\n%s", kind, raw, diff)
				}
			}
		}
	}
	if narrowed < 1000 {
		t.Errorf("only %d searches used an index", narrowed)
	}
}
