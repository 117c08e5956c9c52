package store_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
)

// sender is a book that numbers people.
type sender struct {
	*book
	person int64
}

func newSender(t *testing.T, client redis.UniversalClient, spec store.BatchSpec) *sender {
	t.Helper()
	return &sender{book: openBook(t, client, spec)}
}

// lists returns the keys with what exports sent.
func (s *sender) lists() []string {
	s.t.Helper()
	var keys []string
	for _, entry := range redistest.Dump(s.t, s.redis) {
		if strings.HasPrefix(entry.Key, "ix:{"+customer+"}:sent:") {
			keys = append(keys, entry.Key)
		}
	}
	slices.Sort(keys)
	return keys
}

// nextDay makes the sent records a day older.
func (s *sender) nextDay() {
	s.t.Helper()
	for _, key := range s.lists() {
		day, err := strconv.Atoi(key[strings.LastIndex(key, ":")+1:])
		if err != nil {
			s.t.Fatal(err)
		}
		if err := s.redis.Rename(s.t.Context(), key, fmt.Sprint("ix:{", customer, "}:sent:", day-1)).Err(); err != nil {
			s.t.Fatal(err)
		}
	}
}

// send ends n exports, each of a different candidate and person.
func (s *sender) send(n int) {
	s.t.Helper()
	for range n {
		s.person++
		ref := s.accept(fmt.Sprint("c-", s.person), fmt.Sprintf("c%d@example.com", s.person))
		s.finish(s.claimed(ref), store.Finish{
			To: store.Done, Counter: store.CountCreated, Person: s.person, Workflow: 10_000 + s.person, Job: 1701, Sent: fmt.Sprint("email=", s.person),
		})
	}
}

func (s *sender) sample(n int) []store.SentRecord {
	s.t.Helper()
	sample, err := s.Candidates.SampleSent(s.t.Context(), customer, n)
	if err != nil {
		s.t.Fatal(err)
	}
	return sample
}

func TestSampleOfSentValuesSpreadsOverDays(t *testing.T) {
	t.Parallel()
	redistest.EachBackend(t, func(t *testing.T, client redis.UniversalClient) {
		s := newSender(t, client, store.BatchSpec{Job: 1701})
		for range 3 {
			s.nextDay()
			s.send(10)
		}
		perDay := map[int64]int{}
		for _, r := range s.sample(6) {
			perDay[(r.Person-1)/10]++
			if r.Digests != fmt.Sprint("email=", r.Person) || r.Workflow != 10_000+r.Person || r.Export == "" {
				t.Errorf("%+v", r)
			}
		}
		if perDay[0] != 2 || perDay[1] != 2 || perDay[2] != 2 {
			t.Errorf("by day: %v", perDay)
		}
		// People with only a marker make up the rest.
		keys := s.lists()
		if len(keys) != 3 {
			t.Fatalf("%v", keys)
		}
		if err := client.Del(t.Context(), keys[0]).Err(); err != nil {
			t.Fatal(err)
		}
		bare, people := 0, map[int64]bool{}
		for _, r := range s.sample(1000) {
			people[r.Person] = true
			if r.Digests == "" {
				bare++
			}
		}
		if len(people) != 30 || bare != 10 {
			t.Errorf("%d people, %d of them by their marker alone", len(people), bare)
		}
	})
}

func TestSentValuesAreKeptForTheLastExportsOfADay(t *testing.T) {
	t.Parallel()
	redistest.EachBackend(t, func(t *testing.T, client redis.UniversalClient) {
		s := newSender(t, client, store.BatchSpec{Job: 1701})
		s.send(230)
		kept := s.sample(1000)
		known := 0
		for _, r := range kept {
			if r.Digests != "" {
				known++
				if r.Person <= 30 {
					t.Errorf("kept of person %d, one of the first", r.Person)
				}
			}
		}
		if known != 200 || len(kept) != 230 {
			t.Errorf("sent values are known for %d of %d", known, len(kept))
		}
		for _, key := range s.lists() {
			if left := client.TTL(t.Context(), key).Val(); left <= 0 || left > store.DefaultRetention {
				t.Errorf("%s goes in %s", key, left)
			}
		}
	})
}

func TestNoSentValuesAreKeptOfATest(t *testing.T) {
	t.Parallel()
	redistest.EachBackend(t, func(t *testing.T, client redis.UniversalClient) {
		s := newSender(t, client, store.BatchSpec{Job: 1701, Test: true})
		s.send(1)
		if keys := s.lists(); len(keys) != 0 {
			t.Errorf("kept: %v", keys)
		}
	})
}

func TestErasingDeletesSentDigests(t *testing.T) {
	t.Parallel()
	redistest.EachBackend(t, func(t *testing.T, client redis.UniversalClient) {
		s := newSender(t, client, store.BatchSpec{Job: 1701})
		s.send(3)
		if receipt := s.erase("c-2"); !receipt.Complete || receipt.Ended != 1 {
			t.Errorf("%+v", receipt)
		}
		people := map[int64]bool{}
		for _, r := range s.sample(10) {
			people[r.Person] = true
		}
		if len(people) != 2 || people[2] {
			t.Errorf("sent values are known for %v", people)
		}
	})
}

func TestFieldThatStopsArrivingIsLost(t *testing.T) {
	t.Parallel()
	client := redistest.Shared(t).Client(t)
	b := openBook(t, client, store.BatchSpec{Customer: "4711"})
	read := func(sent, arrived int) store.ReadBackFigure {
		t.Helper()
		fields := map[string]store.ReadBackFigure{"phones": {Sent: 10, Arrived: 10, Share: 1}}
		if sent > 0 {
			share := float64(arrived) / float64(sent)
			fields["education"] = store.ReadBackFigure{Sent: sent, Arrived: arrived, Missing: sent - arrived, Share: share}
		}
		if err := b.Candidates.SaveReadBack(t.Context(), "4711", store.ReadBack{At: time.Now(), Fields: fields}); err != nil {
			t.Fatal(err)
		}
		all, err := b.Candidates.ReadBacks(t.Context(), "4711", "4712")
		if err != nil || len(all) != 1 || all["4711"].Fields["phones"].Lost() {
			t.Fatalf("%+v, %v", all, err)
		}
		return all["4711"].Fields["education"]
	}
	for i, step := range []struct {
		sent, arrived int
		lost          bool
	}{
		{20, 2, false}, // it never arrived
		{20, 16, false},
		{20, 2, false}, // it arrived in less than nine of ten before
		{20, 19, false},
		{20, 9, true},
		{3, 0, false}, // too few to tell
		{20, 0, true},
		{0, 0, false}, // not sent by this sample
		{20, 1, true},
		{20, 18, false},
	} {
		if f := read(step.sent, step.arrived); f.Lost() != step.lost {
			t.Errorf("read-back %d: %+v", i+1, f)
		}
	}
	if left := client.TTL(t.Context(), "ix:{4711}:read_back").Val(); left <= 0 {
		t.Errorf("the figures go in %s", left)
	}
}
