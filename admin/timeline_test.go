package admin

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

var refused = store.Called{
	Op: "people.create", Status: 400, Reason: "icims_field_refused", Sent: "yes", Transaction: "T-17", Problems: []string{"code 4 on email: ottoline@example.com is not welcome"},
}

func TestTimelineInSentences(t *testing.T) {
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.Local)
	for name, c := range map[string]struct {
		entry store.Entry
		words bool
		want  string
	}{
		"a failure that is tried again": {
			store.Entry{What: "retry", Reason: "icims_timeout", Attempt: 2, Again: 90, Calls: []store.Called{{Op: "people.search", Sent: "maybe"}}}, false,
			"Attempt 2 on 4 Mar 2026, 05:06: iCIMS did not answer in time. No response to the request to search for the email. Next attempt after 1m 30s.",
		},
		"a lost answer": {
			store.Entry{What: "unknown", Reason: "write_settling", Attempt: 1, Again: 91, Calls: []store.Called{{Op: "people.create", Status: 500, Sent: "yes", Transaction: "T"}}}, false,
			"Attempt 1 on 4 Mar 2026, 05:06: unconfirmed write. iCIMS responded to the request to create the person with status 500 (transaction T). " +
				"iCIMS is searched after 1m 31s, before anything is repeated.",
		},
		"what was found and decided": {
			store.Entry{What: "done", Attempt: 2, Findings: []string{"the lost POST had created person 17, who is adopted"}}, false,
			"Attempt 2 on 4 Mar 2026, 05:06: the lost POST had created person 17, who is adopted. Succeeded.",
		},
		"what a search after a lost answer has shown": {
			store.Entry{What: "resolved", Attempt: 2, Findings: []string{"iCIMS has no person with this email: the lost POST did not take effect and is repeated"}}, false,
			"Attempt 2 on 4 Mar 2026, 05:06: iCIMS has no person with this email: the lost POST did not take effect and is repeated.",
		},
		"a pause that is no attempt, before any call": {
			store.Entry{What: "deferred", Reason: "icims_quota_exhausted", Attempt: 1, Again: 3600, Calls: []store.Called{{Op: "admit"}}}, false,
			"On 4 Mar 2026, 05:06: postponed without counting an attempt: the day's calls are used up. Continues after 1h 0m.",
		},
		"iCIMS's own words are left out": {
			store.Entry{What: "dead", Reason: "icims_field_refused", Attempt: 1, Calls: []store.Called{refused}}, false,
			"Attempt 1 on 4 Mar 2026, 05:06: iCIMS refuses the value of a field, so the export failed. iCIMS responded to the request to create the person with status 400, code 4 on email (transaction T-17).",
		},
		"unless they are asked for": {
			store.Entry{What: "dead", Reason: "icims_field_refused", Attempt: 1, Calls: []store.Called{refused}}, true,
			"Attempt 1 on 4 Mar 2026, 05:06: iCIMS refuses the value of a field, so the export failed. iCIMS responded to the request to create the person with status 400, code 4 on email (transaction T-17). " +
				"Message: “ottoline@example.com is not welcome”.",
		},
		"an operator's retry": {
			store.Entry{What: "retried", Who: "somebody", Why: "re\x1bopened"}, false,
			"On 4 Mar 2026, 05:06 somebody retried it: “re<U+001B>opened”.",
		},
		"an operator's choice of another job": {
			store.Entry{What: "transferred", Who: "somebody", Why: "the wrong number", Findings: []string{"It goes on in batch 1234-a, to job 7"}}, false,
			"On 4 Mar 2026, 05:06 somebody moved the candidate to another job: “the wrong number”. It goes on in batch 1234-a, to job 7.",
		},
	} {
		t.Run(name, func(t *testing.T) {
			c.entry.At = at
			if got := (TimelineWriter{Words: c.words}).sentence(c.entry); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

func TestEveryStateIsDescribed(t *testing.T) {
	for _, s := range store.States() {
		o := Explain(store.Outcome{State: s, Person: 17, Workflow: 18, Reason: "icims_timeout", At: time.Now(), Due: time.Now()}, 0, Links{})
		text := TimelineWriter{}.Stands(o, 1709, Links{})[0]
		if strings.HasPrefix(text, "State: ") || !strings.HasSuffix(text, ".") {
			t.Errorf("%s: %q", s, text)
		}
	}
}
