package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
	"github.com/seekout/icims-export/tasks/input"
)

// refusedList is a batch's stored refused rows.
type refusedList struct {
	Batch       store.BatchID   `json:"batch"`
	RefusedRows int             `json:"refused_rows"`
	Refused     []input.Refusal `json:"refused"`
}

// readRefused reads the first refused rows of a batch.
func readRefused(ctx context.Context, ledger *store.Ledger, b store.Batch, most int) (refusedList, error) {
	list := refusedList{Batch: b.ID, RefusedRows: b.Refused, Refused: []input.Refusal{}}
	if b.Refused == 0 {
		return list, nil
	}
	rows, _, err := ledger.Batches.RefusedRows(ctx, b.ID, 0, most)
	if errors.Is(err, store.ErrSealed) {
		return list, failed("the refused rows cannot be opened: check that ICIMS_EXPORT_KEYSET is the workers' keyset")
	}
	if err != nil {
		return list, failed("the refused rows cannot be read (%s): check Redis", rootCause(err))
	}
	for _, row := range rows {
		list.Refused = append(list.Refused, tasks.RefusalOf(row))
	}
	return list, nil
}

// printRefused prints only the refused rows.
func (c *statusCommand) printRefused(ctx context.Context, p *process, ledger *store.Ledger, b store.Batch) error {
	list, err := readRefused(ctx, ledger, b, store.MostRefusedRows)
	if err != nil {
		return err
	}
	width, onTerminal := terminal(p.stdout)
	switch {
	case c.JSON:
		err = writeJSON(p.stdout, list)
	case onTerminal:
		writeRefusals(p.stdout, width, 0, list.Refused)
	default:
		err = writeRefusedTabs(p.stdout, list.Refused)
	}
	if left := b.Refused - len(list.Refused); left > 0 {
		p.sayf("Rows refused: %d. Details are available for %d.", b.Refused, len(list.Refused))
	}
	return err
}

// writeRefusedTabs prints one tab-separated line per problem, for scripts.
func writeRefusedTabs(out io.Writer, refused []input.Refusal) error {
	var text strings.Builder
	text.WriteString("row\tline\tcandidate\tfield\treason\tmessage\tremedy\n")
	for _, r := range refused {
		line := ""
		if r.Line > 0 {
			line = strconv.Itoa(r.Line)
		}
		for _, problem := range r.Problems {
			text.WriteString(strings.Join([]string{strconv.Itoa(r.Row), line, r.Candidate, problem.Field, problem.Code, problem.Message, problem.Remedy}, "\t") + "\n")
		}
	}
	_, err := io.WriteString(out, text.String())
	return err
}

// summarizeRefused prints the first refused rows below the exports of a batch.
func summarizeRefused(ctx context.Context, p *process, ledger *store.Ledger, b store.Batch) {
	if b.Refused == 0 {
		return
	}
	command := fmt.Sprintf("icims-export status %s --refused", b.ID)
	width, onTerminal := terminal(p.stdout)
	if !onTerminal {
		p.sayf("Refused rows: %s", command)
		return
	}
	list, err := readRefused(ctx, ledger, b, shownRefusals)
	if err != nil {
		p.sayf("! %v", err)
		return
	}
	if len(list.Refused) == 0 {
		p.sayf("Details of the refused rows are not available.")
		return
	}
	s := style{p.colours(p.stdout)}
	fmt.Fprintf(p.stdout, "\n%s\n", s.paint(bold, "Refused:"))
	writeRefusals(p.stdout, width, 0, list.Refused)
	if left := b.Refused - len(list.Refused); left > 0 {
		fmt.Fprintf(p.stdout, "  … and %d more: %s\n", left, command)
	}
}
