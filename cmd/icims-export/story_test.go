package main

import (
	"strings"
	"testing"
	"time"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store"
)

func TestEveryCallHasAPhrase(t *testing.T) {
	for _, op := range icims.Ops() {
		if callPhrases[op.Name] == "" {
			t.Errorf("%s has none", op.Name)
		}
	}
}

func TestStoryIsToldInSentences(t *testing.T) {
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.Local)
	for name, c := range map[string]struct {
		entry store.Entry
		words bool
		want  string
	}{
		"a failure that is tried again": {
			store.Entry{What: "retry", Reason: "icims_timeout", Attempt: 2, Again: 90, Calls: []store.Called{{Op: "people.search", Sent: "maybe"}}}, false,
			"Attempt 2, on 2026-03-04 at 05:06: iCIMS did not answer in time. The request to search for the e-mail was sent, but no answer came. It was to be tried again after 1m 30s.",
		},
		"a lost answer": {
			store.Entry{What: "unknown", Reason: "write_settling", Attempt: 1, Again: 91, Calls: []store.Called{{Op: "people.create", Status: 500, Sent: "yes", Transaction: "T"}}}, false,
			"Attempt 1, on 2026-03-04 at 05:06: it could not be known yet whether a write took effect. iCIMS answered the request to create the person with status 500 (transaction T). " +
				"After a pause of 1m 31s iCIMS was to be searched, before anything is repeated.",
		},
		"what was found and decided": {
			store.Entry{What: "done", Attempt: 2, Findings: []string{"the lost POST had created person 17, who is adopted"}}, false,
			"Attempt 2, on 2026-03-04 at 05:06: the lost POST had created person 17, who is adopted. It worked.",
		},
		"what a search after a lost answer has shown": {
			store.Entry{What: "resolved", Attempt: 2, Findings: []string{"iCIMS has nobody with this e-mail, so the lost POST did not take effect and is repeated"}}, false,
			"Attempt 2, on 2026-03-04 at 05:06: iCIMS has nobody with this e-mail, so the lost POST did not take effect and is repeated.",
		},
		"a pause that is no attempt, before any call": {
			store.Entry{What: "deferred", Reason: "icims_quota_exhausted", Attempt: 1, Again: 3600, Calls: []store.Called{{Op: "admit"}}}, false,
			"On 2026-03-04 at 05:06: put off, which counts as no attempt: the day's calls are used up. It was to go on after 1h 0m.",
		},
		"iCIMS's own words are left out": {
			store.Entry{What: "dead", Reason: "icims_field_refused", Attempt: 1, Calls: []store.Called{refusedEmail}}, false,
			"Attempt 1, on 2026-03-04 at 05:06: iCIMS refuses the content of a field, so it was given up. iCIMS answered the request to create the person with status 400, code 4 on email (transaction T-17).",
		},
		"unless they are asked for": {
			store.Entry{What: "dead", Reason: "icims_field_refused", Attempt: 1, Calls: []store.Called{refusedEmail}}, true,
			"Attempt 1, on 2026-03-04 at 05:06: iCIMS refuses the content of a field, so it was given up. iCIMS answered the request to create the person with status 400, code 4 on email (transaction T-17). " +
				"It said: “ottoline@example.com is not welcome”.",
		},
		"an operator's retry": {
			store.Entry{What: "retried", Who: "somebody", Why: "re\x1bopened"}, false,
			"On 2026-03-04 at 05:06 somebody set it going again: “re opened”.",
		},
	} {
		t.Run(name, func(t *testing.T) {
			c.entry.At = at
			if got := (storyteller{c.words}).tell(c.entry); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

func TestEveryStateStandsForSomething(t *testing.T) {
	for _, s := range store.States() {
		o := explain(store.Outcome{State: s, Person: 17, Workflow: 18, Reason: "icims_timeout", At: time.Now(), Due: time.Now()}, 0, links{})
		text := standing(o, 1709, links{})[0]
		if strings.HasPrefix(text, "It is "+string(s)+".") || !strings.HasSuffix(text, ".") {
			t.Errorf("%s: %q", s, text)
		}
	}
}

func TestShow(t *testing.T) {
	w := newWard(t)
	jobless, _, ids := w.sorrows()
	t.Run("a candidate's exports are told with how they stand", func(t *testing.T) {
		r := w.call("show", "1234", "c-00000")
		r.wantStatus(t, statusDone)
		r.wantAll(t, "Candidate c-00000 of customer 1234", "Export 1 of 1, to job 999", string(jobless), "Attempt 1", "status 404", "It is a dead letter", "Check the job's system id", "1234:"+ids[0])
		r.wantNone(t, "Quillfeather", "example.com")
	})
	t.Run("one that went well is linked", func(t *testing.T) {
		batch, ids := w.accept("1234", 1709, 100, 1)
		c, err := w.ledger.Claim(t.Context(), store.Ref{Customer: "1234", Export: ids[0]}, store.ClaimOptions{Lease: time.Minute, Settle: time.Minute})
		if err != nil {
			t.Fatal(err)
		}
		end := store.Finish{To: store.Done, Counter: store.CountUpdated, Person: 90017, Workflow: 21018, Job: 1709, Warnings: "linkedin_skipped"}
		if err := w.ledger.Finish(t.Context(), c, end); err != nil {
			t.Fatal(err)
		}
		r := w.call("show", "1234", "c-00100")
		r.wantAll(t, "In iCIMS as person 90017", "workflow 21018 on job 1709", w.origin+"/customers/1234/linkTo/people/90017", "The profile URL was left out", string(batch))
		r = w.call("show", "1234", "c-00100", "--json")
		got := decode[shownCandidate](t, r.out)
		if got.Marker == nil || got.Marker.Workflows[1709] != 21018 || len(got.Exports) != 1 || got.Exports[0].Outcome.State != store.Done {
			t.Errorf("got %s", r.out)
		}
	})
	t.Run("a candidate of whom nothing is known is said to be so", func(t *testing.T) {
		r := w.call("show", "1234", "nobody")
		r.wantStatus(t, statusFailed)
		if !strings.Contains(r.errors, "nothing is known of candidate nobody") {
			t.Errorf("got %s", r.errors)
		}
	})
	t.Run("without a keyset it is refused with the remedy", func(t *testing.T) {
		r := call(t, "show", "1234", "c-00000", "--redis-url="+w.url)
		r.wantStatus(t, statusMisused)
		if !strings.Contains(r.errors, "ICIMS_EXPORT_KEYSET") {
			t.Errorf("got %s", r.errors)
		}
	})
}
