package main

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/internal/testrig"
	"github.com/seekout/icims-export/store"
)

// makeDeadLetters makes dead letters of two customers: five for a job that does not exist, three
// for a refused email, and one of the other customer.
func (w *ward) makeDeadLetters() (jobless, refused store.BatchID, ids []string) {
	w.t.Helper()
	jobless, ids = w.accept("1234", 999, 0, 5)
	w.makeDead("1234", "job_not_found", testrig.NoJob, ids...)
	refused, more := w.accept("1234", 0, 5, 3)
	w.makeDead("1234", "icims_field_refused", testrig.RefusedEmail, more...)
	_, other := w.accept("77", 0, 8, 1)
	w.makeDead("77", "job_not_found", testrig.NoJob, other...)
	return jobless, refused, append(append(ids, more...), other...)
}

// listed returns the candidates in a list of JSON lines.
func listed(t *testing.T, r result) []string {
	t.Helper()
	r.wantStatus(t, statusDone)
	var candidates []string
	for line := range strings.Lines(r.out) {
		var d admin.DeadLine
		if err := json.Unmarshal([]byte(line), &d); err != nil {
			t.Fatal(err)
		}
		candidates = append(candidates, d.Candidate)
	}
	slices.Sort(candidates)
	return candidates
}

func TestDeadList(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	jobless, _, _ := w.makeDeadLetters()
	for name, c := range map[string]struct {
		flags []string
		want  int
	}{
		"all of all customers":                   {nil, 9},
		"of one customer":                        {[]string{"--customer=77"}, 1},
		"of one batch":                           {[]string{"--batch=" + string(jobless)}, 5},
		"for one reason":                         {[]string{"--reason=job_not_found"}, 6},
		"for a reason that nothing died of":      {[]string{"--reason=icims_tls"}, 0},
		"given up within the last hour":          {[]string{"--since=1h"}, 9},
		"given up since tomorrow":                {[]string{"--since=" + time.Now().Add(24*time.Hour).Format(time.RFC3339)}, 0},
		"by a text of the reason":                {[]string{"--text=FIELD_refused"}, 3},
		"by the status of the last call":         {[]string{"--text=404"}, 6},
		"by the operation of the last call":      {[]string{"--text=people.create"}, 3},
		"by the code and field of the last call": {[]string{"--text=code 4 on email"}, 3},
		"by the transaction":                     {[]string{"--text=t-18", "--customer=1234"}, 5},
		"by all together":                        {[]string{"--text=404", "--customer=1234", "--since=1h", "--reason=job_not_found", "--batch=" + string(jobless)}, 5},
		"no more than asked for":                 {[]string{"--limit=2"}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			r := w.call(append([]string{"dead", "list", "--json"}, c.flags...)...)
			if got := listed(t, r); len(got) != c.want {
				t.Errorf("%d are listed, want %d: %v", len(got), c.want, got)
			}
			r.wantNone(t, "Quillfeather", "example.com", testPassword)
		})
	}
	t.Run("a line has the reason, hint and iCIMS's response, without its messages", func(t *testing.T) {
		r := w.call("dead", "list", "--json", "--text=people.create", "--limit=1")
		d := decode[admin.DeadLine](t, r.out)
		if d.Reason != "icims_field_refused" || d.Title == "" || d.Hint == "" || d.Status != 400 || d.Operation != "people.create" ||
			!slices.Equal(d.Codes, []string{"code 4 on email"}) || d.Transaction != "T-17" || d.Attempts != 1 {
			t.Errorf("got %+v", d)
		}
	})
	t.Run("elsewhere than on a terminal there is a line for each, and the sum on stderr", func(t *testing.T) {
		r := w.call("dead", "list")
		r.wantStatus(t, statusDone)
		if n := len(lines(r.out)); n != 10 || !strings.HasPrefix(r.out, "customer\tcandidate\texport\t") {
			t.Errorf("%d lines, want 9 and the titles\n%s", n, r.out)
		}
		for _, want := range []string{"9 dead letters.", "6  the job does not exist", "Check the job's system id"} {
			if !strings.Contains(r.errors, want) {
				t.Errorf("%q is missing in %s", want, r.errors)
			}
		}
	})
	t.Run("a truncated list says so", func(t *testing.T) {
		r := w.call("dead", "list", "--limit=4")
		if n := len(lines(r.out)); n != 5 || !strings.Contains(r.errors, "4 of 9 dead letters shown") {
			t.Errorf("%d lines, %s", n, r.errors)
		}
	})
	t.Run("a dry run counts by reason", func(t *testing.T) {
		r := w.call("dead", "list", "--dry-run", "--customer=1234")
		r.wantAll(t, "8 dead letters match", "5  the job does not exist", "3  iCIMS refuses the value of a field (icims_field_refused)")
	})
	t.Run("without a keyset the letters are listed all the same", func(t *testing.T) {
		r := call(t, "dead", "list", "--json", "--redis-url="+w.url)
		if got := listed(t, r); len(got) != 9 || strings.Contains(r.out, "T-17") {
			t.Errorf("got %v", r.out)
		}
	})
}

func TestDeadUsageErrors(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	jobless, _, _ := w.makeDeadLetters()
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"an unknown reason":                   {[]string{"dead", "list", "--reason=nope"}, "docs/errors.md"},
		"a time that is none":                 {[]string{"dead", "list", "--since=yesterday"}, "24h or 7d"},
		"a batch that is none":                {[]string{"dead", "list", "--batch=1234"}, "is not a batch id"},
		"a batch of another customer":         {[]string{"dead", "list", "--customer=77", "--batch=" + string(jobless)}, "omit --customer"},
		"a customer that is none":             {[]string{"dead", "list", "--customer=acme"}, "digits only"},
		"a retry without a why":               {[]string{"dead", "retry", "--customer=1234"}, "--why"},
		"a discard without a why":             {[]string{"dead", "discard", "c-00001"}, "--why"},
		"a discard of everything by omission": {[]string{"dead", "discard", "--why=x"}, "--all"},
		"a transfer to no job":                {[]string{"dead", "transfer", "--customer=1234", "--why=x"}, "--to-job"},
		"a transfer to half a job":            {[]string{"dead", "transfer", "--customer=1234", "--why=x", "--to-job=0"}, "positive number"},
		"a transfer of several customers'":    {[]string{"dead", "transfer", "--all", "--why=x", "--to-job=7"}, "belongs to one customer"},
		"a transfer of a candidate of any":    {[]string{"dead", "transfer", "crm:42", "--why=x", "--to-job=7"}, "belongs to one customer"},
		"a transfer without a why":            {[]string{"dead", "transfer", "--customer=1234", "--to-job=7"}, "--why"},
		"an unknown subcommand":               {[]string{"dead", "bury"}, "see icims-export dead --help"},
		"an unknown flag of a subcommand":     {[]string{"dead", "list", "--colour"}, "see icims-export dead list --help"},
		"a show without a candidate":          {[]string{"dead", "show", "1234"}, "see icims-export dead show --help"},
		"a show of half a word":               {[]string{"dead", "show", "1234:"}, "name the dead letter of customer 1234"},
		"a show of a customer that is none":   {[]string{"dead", "show", "acme:abc"}, "digits only"},
	} {
		t.Run(name, func(t *testing.T) {
			r := w.call(c.args...)
			r.wantStatus(t, statusUsage)
			if !strings.Contains(r.errors, c.want) {
				t.Errorf("%q is missing in %s", c.want, r.errors)
			}
		})
	}
	if n := len(listed(t, w.call("dead", "list", "--json"))); n != 9 {
		t.Errorf("%d dead letters are left of 9", n)
	}
}

func TestDeadRetry(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	_, _, ids := w.makeDeadLetters()
	t.Run("one by customer and export, with who and why in its timeline", func(t *testing.T) {
		r := w.call("dead", "retry", "1234:"+ids[0], "--why=the job is open again", "--who=somebody")
		r.wantStatus(t, statusDone)
		r.wantAll(t, "1 dead letter retried")
		shown := w.call("show", "1234", "c-00000")
		shown.wantAll(t, "somebody retried it", "the job is open again")
	})
	t.Run("one by its candidate", func(t *testing.T) {
		r := w.call("dead", "retry", "c-00001", "--why=x", "--json")
		if got := decode[admin.DeadResult](t, r.out); got.Done != 1 || !strings.Contains(got.Who, "@") {
			t.Errorf("got %s", r.out)
		}
	})
	t.Run("one that is no longer a dead letter is refused with the remedy", func(t *testing.T) {
		r := w.call("dead", "retry", "1234:"+ids[0], "--why=x")
		r.wantStatus(t, statusFailed)
		if !strings.Contains(r.errors, "icims-export dead list") {
			t.Errorf("got %s", r.errors)
		}
	})
	t.Run("a dry run changes nothing and needs no why", func(t *testing.T) {
		w.call("dead", "retry", "--dry-run").wantAll(t, "7 dead letters match")
	})
	t.Run("some by a filter, recorded once with their number", func(t *testing.T) {
		w.call("dead", "retry", "--text=404", "--why=reopened", "--who=somebody").wantAll(t, "4 dead letters retried")
		actions, _, err := w.ledger.AuditLog.Actions(t.Context(), "1234", 10)
		if err != nil || len(actions) != 3 || actions[0].Count != 3 || actions[0].Who != "somebody" || actions[0].Why != "reopened" {
			t.Errorf("%+v, %v", actions, err)
		}
	})
	t.Run("no match is no failure", func(t *testing.T) {
		r := w.call("dead", "retry", "--reason=icims_tls", "--why=x")
		r.wantStatus(t, statusDone)
		r.wantAll(t, "No dead letter matches")
	})
	t.Run("each has a task, and all records agree", func(t *testing.T) {
		w.call("audit", "--late=1ms").wantStatus(t, statusDone)
		n, err := w.redis.LLen(t.Context(), "asynq:{icims:1234}:pending").Result()
		if err != nil || n != 5 {
			t.Errorf("%d tasks, %v", n, err)
		}
	})
}

func TestDeadTransfer(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	jobless, _, _ := w.makeDeadLetters()
	w.call("dead", "transfer", "--customer=1234", "--to-job=1709", "--dry-run").wantAll(t, "8 dead letters match")
	r := w.call("dead", "transfer", "--batch="+string(jobless), "--to-job=1709", "--why=the wrong number", "--who=somebody")
	r.wantStatus(t, statusDone)
	r.wantAll(t, "5 candidates sent to job 1709", "icims-export status 1234-")
	if got := listed(t, w.call("dead", "list", "--json")); len(got) != 4 {
		t.Errorf("left are %v", got)
	}
	w.call("journal", "--customer=1234").wantAll(t, "dead transfer", "to job 1709")
	w.call("show", "1234", "c-00000").wantAll(t, "somebody moved the candidate to another job", "the wrong number", "to job 1709")
	w.call("dead", "transfer", "--batch="+string(jobless), "--to-job=1709", "--why=x").wantAll(t, "No dead letter matches")

	done := decode[admin.DeadResult](t, w.call("dead", "transfer", "--customer=1234", "--to-job=1709", "--why=the addresses are right", "--json").out)
	if done.Done != 3 || done.Job != 1709 || len(done.Batches) != 1 {
		t.Errorf("%+v", done)
	}
	_, ids := w.accept("1234", 1709, 20, 1)
	w.makeDead("1234", "icims_field_refused", testrig.RefusedEmail, ids...)
	w.call("dead", "transfer", "1234:"+ids[0], "--to-job=1709", "--why=x").wantAll(t, "No candidate was sent to job 1709", "1 stayed: they already go to that job")
	w.call("audit", "--late=1ms").wantStatus(t, statusDone)
}

func TestDeadDiscard(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	w.makeDeadLetters()
	r := w.call("dead", "discard", "--reason=icims_field_refused", "--why=bad addresses", "--who=somebody")
	r.wantAll(t, "3 dead letters discarded")
	if got := listed(t, w.call("dead", "list", "--json")); len(got) != 6 {
		t.Errorf("left are %v", got)
	}
	w.call("show", "1234", "c-00005").wantAll(t, "discarded it", "bad addresses", "data was deleted")
	w.call("dead", "discard", "--all", "--why=x").wantAll(t, "6 dead letters discarded")
	for _, e := range redisKeys(t, w) {
		if strings.Contains(e, "}:p:") {
			t.Errorf("%s is still kept", e)
		}
	}
	w.call("audit").wantStatus(t, statusDone)
}

func redisKeys(t *testing.T, w *ward) []string {
	t.Helper()
	keys, err := w.redis.Keys(t.Context(), "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func TestDeadShow(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	_, refused, ids := w.makeDeadLetters()
	personal := []string{"Quillfeather", "Ottoline", "ottoline", "not welcome"}
	t.Run("it is explained without personal data", func(t *testing.T) {
		r := w.call("dead", "show", "1234", "c-00005")
		r.wantStatus(t, statusDone)
		r.wantNone(t, personal...)
		r.wantAll(t, "1234:"+ids[5], "iCIMS refuses the value of a field (icims_field_refused)", "Correct the named field", "docs/errors.md#icims_field_refused",
			string(refused), "request to create the person with status 400, code 4 on email (transaction T-17)", "--show-data", "dead retry 1234:"+ids[5])
	})
	t.Run("it can be found by its export", func(t *testing.T) {
		w.call("dead", "show", "1234", ids[5]).wantAll(t, "c-00005")
	})
	t.Run("and in one word, as listed", func(t *testing.T) {
		w.call("dead", "show", "1234:"+ids[5]).wantAll(t, "c-00005")
	})
	t.Run("on request the data is shown, and that is recorded", func(t *testing.T) {
		r := w.call("dead", "show", "1234", "c-00005", "--show-data", "--who=somebody")
		r.wantAll(t, `"Quillfeather"`, "firstname", "ottoline.c-00005@example.com", "is not welcome")
		actions, _, err := w.ledger.AuditLog.Actions(t.Context(), "1234", 1)
		if err != nil || len(actions) != 1 || actions[0].Who != "somebody" || !strings.Contains(actions[0].What, ids[5]) {
			t.Errorf("%+v, %v", actions, err)
		}
	})
	t.Run("as JSON it is one object", func(t *testing.T) {
		r := w.call("dead", "show", "1234", "c-00005", "--json")
		r.wantNone(t, personal...)
		if got := decode[admin.ExplainedDead](t, r.out); len(got.Sentences) != 1 || got.Candidate != "c-00005" || got.Data != nil {
			t.Errorf("got %s", r.out)
		}
	})
	t.Run("one that is no dead letter gets a pointer", func(t *testing.T) {
		r := w.call("dead", "show", "1234", "c-4711")
		r.wantStatus(t, statusFailed)
		if !strings.Contains(r.errors, "icims-export show 1234 c-4711") {
			t.Errorf("got %s", r.errors)
		}
	})
}

// Dead letters can be managed after the sealing key of their timelines was lost.
func TestDeadLettersWithSealedTimelinesAreManaged(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	_, _, ids := w.makeDeadLetters()
	key := "ix:{1234}:s:" + ids[0]
	if err := w.redis.LSet(t.Context(), key, 0, "sealed with a key that was lost").Err(); err != nil {
		t.Fatal(err)
	}
	r := w.call("dead", "list", "--json")
	r.wantStatus(t, statusDone)
	if n := len(lines(r.out)); n != len(ids) {
		t.Errorf("%d of %d are listed:\n%s", n, len(ids), r.errors)
	}
	r = w.call("dead", "retry", "1234:"+ids[0], "--why=x", "--json")
	r.wantStatus(t, statusDone)
	if got := decode[admin.DeadResult](t, r.out); got.Done != 1 {
		t.Errorf("retried: %s", r.out)
	}
	if err := w.redis.LSet(t.Context(), "ix:{1234}:s:"+ids[1], 0, "sealed with a key that was lost").Err(); err != nil {
		t.Fatal(err)
	}
	r = w.call("dead", "discard", "--all", "--why=x", "--json")
	r.wantStatus(t, statusDone)
	if got := decode[admin.DeadResult](t, r.out); got.Done != len(ids)-1 {
		t.Errorf("discarded: %s", r.out)
	}
}
