package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/alicebob/miniredis/v2"

	"github.com/seekout/icims-export/admin"
)

const asCSV = "id,first_name,last_name,email,phone1_number,phone1_type,work1_employer,work1_title,education1_school\n" +
	"c-1,Ottoline,Quillfeather,ottoline@example.com,+1 425 555 0143,mobile,Contoso,Data Engineer,University of Porto\n" +
	"c-2,Bartholomew,Nightingale,,,,,,\n"

func TestExportWithEmbeddedRedis(t *testing.T) {
	t.Parallel()
	t.Run("candidates of an NDJSON file arrive, and refused rows show no values", func(t *testing.T) {
		b := newBench(t)
		file := b.file(t, "candidates.ndjson", candidates)
		r := call(t, b.embedded("export", file, "--customer=1234", "--job="+testJob)...)
		r.wantStatus(t, statusPartial)
		r.wantNone(t, personal...)
		r.wantNone(t, "\x1b", "\r")
		for _, want := range []string{"line 2", "line 3", "email is missing", "generate dummy", "Export complete"} {
			if !strings.Contains(r.out, want) {
				t.Errorf("%q is missing in\n%s", want, r.out)
			}
		}
		if people, flows := b.tenant.People(), b.tenant.Workflows(); len(people) != 1 || len(flows) != 1 || flows[0].Job != 1709 {
			t.Errorf("iCIMS has %d people and workflows %v", len(people), flows)
		}
	})
	t.Run("CSV on standard input is recognized by its first character", func(t *testing.T) {
		b := newBench(t)
		r := invoke(t.Context(), strings.NewReader(asCSV), b.embedded("export", "-", "--customer=1234", "--prospects", "--generate-dummy-emails", "--json")...)
		r.wantStatus(t, statusDone)
		got := decode[exportResult](t, r.out)
		if got.Accepted != 2 || got.Dummies != 1 || got.Result == nil || got.Result.Created != 2 {
			t.Errorf("got %s", r.out)
		}
		if len(b.tenant.People()) != 2 || len(b.tenant.Workflows()) != 0 {
			t.Errorf("iCIMS has %d people and %d workflows, want 2 and none", len(b.tenant.People()), len(b.tenant.Workflows()))
		}
	})
	t.Run("candidates exported before are found in iCIMS and updated", func(t *testing.T) {
		b := newBench(t)
		args := b.embedded("export", "-", "--format=csv", "--customer=1234", "--prospects", "--generate-dummy-emails", "--json")
		only := strings.Join(strings.SplitAfter(asCSV, "\n")[:2], "")
		invoke(t.Context(), strings.NewReader(only), args...).wantStatus(t, statusDone)
		r := invoke(t.Context(), strings.NewReader(only), args...)
		r.wantStatus(t, statusDone)
		if got := decode[exportResult](t, r.out); got.Result.Updated != 1 || len(b.tenant.People()) != 1 {
			t.Errorf("got %s", r.out)
		}
	})
	t.Run("of a file with too many rows the first are exported, and it is said from where on the others are left", func(t *testing.T) {
		b := newBench(t)
		args := b.embedded("export", "-", "--format=csv", "--customer=1234", "--prospects", "--generate-dummy-emails", "--max-batch-rows=1", "--json")
		r := invoke(t.Context(), strings.NewReader(asCSV), args...)
		r.wantStatus(t, statusPartial)
		const want = "exceeds 1 row per batch (ICIMS_EXPORT_MAX_BATCH_ROWS). Nothing was read from line 3 on: send the rest as another batch."
		got := decode[exportResult](t, r.out)
		if got.Accepted != 1 || got.Result == nil || got.Result.Created != 1 || !strings.Contains(got.InputLeft, want) || !strings.Contains(r.errors, want) {
			t.Errorf("got %s, %s", r.out, r.errors)
		}
		dry := invoke(t.Context(), strings.NewReader(asCSV), append(args, "--dry-run")...)
		dry.wantStatus(t, statusPartial)
		if !strings.Contains(dry.out, want) {
			t.Errorf("a dry run says %s", dry.out)
		}
	})
	t.Run("a file that is cut is exported as far as it goes, and what is left of its last row refused", func(t *testing.T) {
		b := newBench(t)
		r := invoke(t.Context(), strings.NewReader("["+strings.SplitAfter(candidates, "\n")[0]+","), b.embedded("export", "-", "--format=ndjson", "--customer=1234", "--prospects", "--json")...)
		r.wantStatus(t, statusPartial)
		if got := decode[exportResult](t, r.out); got.Result == nil || got.Result.Created != 1 || len(got.Refused) != 1 || got.Refused[0].Problems[0].Code != "array_unfinished" {
			t.Errorf("got %s", r.out)
		}
	})
	t.Run("a dead export is listed with the remedy", func(t *testing.T) {
		b := newBench(t)
		r := invoke(t.Context(), strings.NewReader(asCSV), b.embedded("export", "-", "--customer=1234", "--job=999", "--generate-dummy-emails")...)
		r.wantStatus(t, statusPartial)
		for _, want := range []string{"Failed:", "c-1", "the job does not exist or cannot be seen", "Check the job's system id"} {
			if !strings.Contains(r.out, want) {
				t.Errorf("%q is missing in\n%s", want, r.out)
			}
		}
	})
	t.Run("interrupted while everything waits, it says so with the remedy", func(t *testing.T) {
		b := newBench(t)
		b.tenant.SetPassword("another one")
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		said := &watch{text: "iCIMS refuses the user name or password", then: cancel}
		p := &process{stdin: strings.NewReader(asCSV), stdout: said, stderr: said, lookupEnv: lookup}
		status := run(ctx, p, b.embedded("export", "-", "--customer=1234", "--prospects", "--generate-dummy-emails"))
		if status != statusFailed || !strings.Contains(said.String(), "stopped after 0 of 2") {
			t.Errorf("exit status %d\n%s", status, said)
		}
	})
}

func TestInterruptedInput(t *testing.T) {
	t.Parallel()
	for name, more := range map[string]string{"an export": "--json", "a dry run": "--dry-run"} {
		t.Run(name+" says so, and not that Redis failed", func(t *testing.T) {
			b := newBench(t)
			broken := io.MultiReader(strings.NewReader(asCSV), iotest.ErrReader(errors.New("the disk is gone")))
			r := invoke(t.Context(), broken, b.embedded("export", "-", "--customer=1234", "--prospects", more)...)
			r.wantStatus(t, statusFailed)
			if !strings.Contains(r.errors, "reading the input failed (the disk is gone); send the file again") {
				t.Errorf("got %s", r.errors)
			}
		})
	}
}

func TestDryRun(t *testing.T) {
	t.Parallel()
	t.Run("it shows what would be sent, and sends nothing", func(t *testing.T) {
		b := newBench(t)
		file := b.file(t, "candidates.ndjson", candidates)
		r := call(t, b.embedded("export", file, "--customer=1234", "--job="+testJob, "--dry-run")...)
		r.wantStatus(t, statusPartial)
		r.wantNone(t, personal...)
		for _, want := range []string{`"Ottoline"`, `"ottoline@example.com"`, `{"value":"Mobile"}`, "field51001", "worktitle", "baseprofile", "Recruiter Submitted",
			"Would be refused", "About 3 calls to iCIMS (3 if all candidates are"} {
			if !strings.Contains(r.out, want) {
				t.Errorf("%q is missing in\n%s", want, r.out)
			}
		}
		if n := b.sim.CallCount(); n != 0 {
			t.Errorf("%d calls were made", n)
		}
	})
	t.Run("the first are shown, and all on request", func(t *testing.T) {
		b := newBench(t)
		var rows strings.Builder
		for i := range 7 {
			fmt.Fprintf(&rows, `{"id":"c-%d","first_name":"Ana","last_name":"Duarte","email":"ana-%d@example.com"}`+"\n", i, i)
		}
		file := b.file(t, "many.ndjson", rows.String())
		args := []string{"export", file, "--customer=1234", "--job=" + testJob, "--dry-run"}
		for _, c := range []struct {
			more  []string
			shown int
			tells bool
		}{{nil, 3, true}, {[]string{"--all"}, 7, false}} {
			r := call(t, b.embedded(append(slices.Clone(args), c.more...)...)...)
			r.wantStatus(t, statusDone)
			if n := strings.Count(r.out, "@example.com"); n != c.shown {
				t.Errorf("%s: %d are shown", c.more, n)
			}
			if tells := strings.Contains(r.out, "… and 4 more candidates, not shown: --all shows them."); tells != c.tells || !strings.Contains(r.out, "7 would be sent") {
				t.Errorf("%s: %s", c.more, r.out)
			}
		}
		call(t, b.embedded("export", file, "--customer=1234", "--job="+testJob, "--all")...).wantStatus(t, statusUsage)
	})
	t.Run("as JSON it is one object", func(t *testing.T) {
		b := newBench(t)
		r := invoke(t.Context(), strings.NewReader(asCSV), b.embedded("export", "-", "--customer=1234", "--prospects", "--generate-dummy-emails", "--dry-run", "--json")...)
		r.wantStatus(t, statusDone)
		got := decode[struct {
			DryRun   bool      `json:"dry_run"`
			Would    []preview `json:"would"`
			Accepted int       `json:"accepted"`
			Estimate estimate  `json:"estimate"`
		}](t, r.out)
		if !got.DryRun || len(got.Would) != 2 || !got.Would[1].Dummy || got.Accepted != 2 || got.Estimate.Least != 3 || got.Would[0].Workflow != nil {
			t.Errorf("got %s", r.out)
		}
	})
	t.Run("without connections the default field names are shown", func(t *testing.T) {
		r := invoke(t.Context(), strings.NewReader(asCSV), "export", "-", "--customer=1234", "--prospects", "--generate-dummy-emails", "--dry-run", "--redis-url=embedded")
		r.wantStatus(t, statusDone)
		if !strings.Contains(r.out, "workexperience") || !strings.Contains(r.errors, "No connections are set") {
			t.Errorf("got %s%s", r.out, r.errors)
		}
	})
}

func TestExportThroughAWorker(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	redis := miniredis.RunT(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	worker := make(chan result)
	go func() { worker <- invoke(ctx, nil, b.shared(redis, "worker")...) }()

	file := b.file(t, "candidates.ndjson", candidates)
	export := func(more ...string) result {
		return call(t, b.shared(redis, append([]string{"export", file, "--customer=1234", "--job=" + testJob}, more...)...)...)
	}
	first := export("--wait", "--json")
	first.wantStatus(t, statusPartial)
	sent := decode[exportResult](t, first.out)
	calls := b.sim.CallCount()

	t.Run("the batch is accepted, exported and refused in part", func(t *testing.T) {
		if sent.Accepted != 1 || len(sent.Refused) != 2 || sent.Result.Created != 1 {
			t.Errorf("got %s", first.out)
		}
		first.wantNone(t, personal...)
	})
	t.Run("sent again it is skipped, without a call", func(t *testing.T) {
		r := export("--wait", "--json")
		if got := decode[exportResult](t, r.out); got.Result.Skipped != 1 || b.sim.CallCount() != calls {
			t.Errorf("%d calls, got %s", b.sim.CallCount()-calls, r.out)
		}
	})
	t.Run("a dry run shows the skip and writes nothing to Redis", func(t *testing.T) {
		r := export("--dry-run")
		if !strings.Contains(r.out, "skipped: exported before") || !strings.Contains(r.out, "No calls to iCIMS") {
			t.Errorf("got %s", r.out)
		}
	})
	t.Run("the status lists each export", func(t *testing.T) {
		r := call(t, b.shared(redis, "status", string(sent.Batch))...)
		r.wantStatus(t, statusPartial) // because of its refused rows
		lines := strings.Split(strings.TrimSpace(r.out), "\n")
		if len(lines) != 2 || !strings.HasPrefix(lines[1], "1\tc-1\t") || !strings.Contains(lines[1], "\tcreated\t") || !strings.Contains(lines[1], b.origin+"/customers/1234/linkTo/people/") {
			t.Errorf("got %s", r.out)
		}
		r = call(t, b.shared(redis, "status", string(sent.Batch), "--json")...)
		got := decode[struct {
			Batch    struct{ Created int }
			Outcomes []admin.Outcome
		}](t, r.out)
		if got.Batch.Created != 1 || len(got.Outcomes) != 1 || got.Outcomes[0].Person == 0 {
			t.Errorf("got %s", r.out)
		}
		r = call(t, b.shared(redis, "status", string(sent.Batch), "--failed")...)
		if n := strings.Count(r.out, "\n"); n != 1 {
			t.Errorf("%d lines, want the titles alone: %s", n, r.out)
		}
	})
	t.Run("an idempotency key of another batch is refused", func(t *testing.T) {
		export("--idempotency-key=k").wantStatus(t, statusPartial)
		r := export("--idempotency-key=k", "--include-exported")
		r.wantStatus(t, statusUsage)
		if !strings.Contains(r.errors, "has another include_previously_exported; send the same batch again, or use another key") {
			t.Errorf("got %s", r.errors)
		}
	})

	stop()
	r := <-worker
	r.wantStatus(t, statusDone)
	r.wantNone(t, testPassword, "Ottoline", "ottoline@example.com")
	if !strings.Contains(r.errors, "worker stopped") {
		t.Errorf("the worker said %s", r.errors)
	}
}

func TestExportRefusesOtherRowsWithTheSameKey(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	export := func(name, content string) result {
		return w.call("export", w.file(t, name, content), "--customer=1234", "--job="+testJob, "--idempotency-key=k", "--json")
	}
	lines := strings.SplitAfter(candidates, "\n")
	first := export("first.ndjson", candidates)
	first.wantStatus(t, statusPartial)
	sent := decode[exportResult](t, first.out)
	for name, c := range map[string]struct{ content, says string }{
		"another row":     {strings.Replace(candidates, "Ottoline", "Other", 1), "row 1 differs from that of batch " + string(sent.Batch)},
		"a row more":      {candidates + strings.Replace(lines[0], "c-1", "c-99", 1), "is complete with 3 rows, and more were sent"},
		"a row less":      {lines[0], "has 3 rows, and fewer were sent"},
		"a corrected row": {lines[0] + strings.Replace(lines[0], "c-1", "c-2", 1) + lines[2], "row 2 differs"},
	} {
		r := export("other.ndjson", c.content)
		r.wantStatus(t, statusUsage)
		r.wantNone(t, personal...)
		if !strings.Contains(r.errors, c.says) || !strings.Contains(r.errors, "or use another key") || r.out != "" {
			t.Errorf("%s: got %s%s", name, r.errors, r.out)
		}
	}
	b, err := w.ledger.Batches.Get(t.Context(), sent.Batch)
	if err != nil || b.Accepted != 1 || b.Refused != 2 {
		t.Errorf("the batch is %+v, %v", b, err)
	}
	again := export("again.ndjson", candidates)
	again.wantStatus(t, statusPartial)
	if got := decode[exportResult](t, again.out); got.Batch != sent.Batch || got.Again != 1 {
		t.Errorf("the same rows: %s", again.out)
	}
}

func TestDryRunWritesNothingToRedis(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	redis := miniredis.RunT(t)
	r := invoke(t.Context(), strings.NewReader(asCSV), b.shared(redis, "export", "-", "--customer=1234", "--prospects", "--generate-dummy-emails", "--dry-run")...)
	r.wantStatus(t, statusDone)
	if keys := redis.Keys(); len(keys) != 0 {
		t.Errorf("Redis holds %v", keys)
	}
}

func TestExportBeyondTheWaitingLimit(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	w.accept("1234", 7, 0, 3)
	file := w.file(t, "candidates.ndjson", candidates)
	r := w.call("export", file, "--customer=1234", "--job="+testJob, "--generate-dummy-emails", "--max-waiting=4", "--idempotency-key=k")
	r.wantStatus(t, statusFailed)
	for _, want := range []string{"1 candidates were accepted", "customer 1234 has reached its limit of 4 candidates waiting", "ICIMS_EXPORT_MAX_WAITING", "send the file again with the same idempotency key"} {
		if !strings.Contains(r.errors, want) {
			t.Errorf("%q is missing in %s", want, r.errors)
		}
	}
	w.call("export", file, "--customer=1234", "--job="+testJob, "--generate-dummy-emails", "--max-waiting=5", "--idempotency-key=k").wantStatus(t, statusPartial)
	if live, err := w.ledger.Recovery.Live(t.Context(), "1234"); err != nil || live != 5 {
		t.Errorf("%d exports move, %v", live, err)
	}
}
