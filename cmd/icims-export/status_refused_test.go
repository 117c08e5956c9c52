package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
	"github.com/seekout/icims-export/tasks/input"
)

func TestStatusListsRefusedRows(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	var file strings.Builder
	file.WriteString("id,first_name,last_name,email\nc-0,Ana,Lytic,ana@example.com\n")
	const refused = 25
	for i := range refused {
		fmt.Fprintf(&file, "c-%d,Bartholomew,Quillfeather,\n", i+1)
	}
	receipt, err := tasks.NewClient(w.redis, w.ledger).Enqueue(t.Context(), input.Batch{Customer: "1234", Candidates: input.ReadCSV(strings.NewReader(file.String()))})
	if err != nil || receipt.Accepted != 1 || len(receipt.Refused) != refused {
		t.Fatalf("%d accepted, %d refused, %v", receipt.Accepted, len(receipt.Refused), err)
	}
	batch := string(receipt.Batch)

	r := w.call("status", batch, "--refused", "--json")
	r.wantStatus(t, statusDone)
	got := decode[refusedList](t, r.out)
	if got.Batch != receipt.Batch || got.RefusedRows != refused || len(got.Refused) != refused || got.Refused[0].Row != 2 || got.Refused[0].Candidate != "c-1" || got.Refused[0].Problems[0].Code != "email_missing" {
		t.Errorf("%+v", got)
	}

	r = w.call("status", batch, "--refused")
	r.wantStatus(t, statusDone)
	lines := strings.Split(strings.TrimSpace(r.out), "\n")
	if len(lines) != 1+refused || !strings.HasPrefix(lines[1], "2\t3\tc-1\temail\temail_missing\t") {
		t.Errorf("%d lines: %.300s", len(lines), r.out)
	}
	r.wantNone(t, "Quillfeather", "Bartholomew")

	// Below the results, which scripts read, status names the command that lists them.
	r = w.call("status", batch)
	r.wantStatus(t, statusFailed) // the batch is open
	if want := "icims-export status " + batch + " --refused"; !strings.Contains(r.errors, want) || strings.Contains(r.out, "email_missing") {
		t.Errorf("%q is missing in %s", want, r.errors)
	}

	w.call("status", batch, "--refused", "--failed").wantStatus(t, statusUsage)

	// With a keyset that does not open the rows, status says so.
	other, err := store.NewKeyset()
	if err == nil {
		err = os.Remove(w.keyset)
	}
	if err == nil {
		err = store.WriteKeysetFile(w.keyset, other)
	}
	if err != nil {
		t.Fatal(err)
	}
	r = w.call("status", batch, "--refused")
	r.wantStatus(t, statusFailed)
	if !strings.Contains(r.errors, "ICIMS_EXPORT_KEYSET") {
		t.Errorf("%s", r.errors)
	}
}

func TestStatusWithoutRefusedRowDetails(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	batch, _ := w.accept("1234", 7, 1, 1)
	if r := w.call("status", string(batch), "--refused"); r.status != statusDone || r.out != "row\tline\tcandidate\tfield\treason\tmessage\tremedy\n" {
		t.Errorf("none: %+v", r)
	}
	if err := w.ledger.Batches.Close(t.Context(), batch, 3); err != nil {
		t.Fatal(err)
	}
	if r := w.call("status", string(batch), "--refused"); !strings.Contains(r.errors, "Rows refused: 3. Details are available for 0.") {
		t.Errorf("from an earlier version: %+v", r)
	}
}
