package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
	"strings"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/forecast"
	"github.com/seekout/icims-export/internal/prose"
	"github.com/seekout/icims-export/store"
)

type statusCommand struct {
	Batch   string `arg:"" help:"Batch id, as printed by export."`
	Failed  bool   `help:"Only failed candidates." xor:"only"`
	Refused bool   `help:"Only refused rows, with reason and remedy." xor:"only"`
	JSON    bool   `name:"json" help:"Print JSON."`
}

// errMoving ends status for an open batch.
var errMoving = &exit{status: statusFailed}

// Run prints the batch and its exports.
func (c *statusCommand) Run(ctx context.Context, p *process) error {
	id, err := store.ParseBatchID(c.Batch)
	if err != nil {
		return usageError("%v", err)
	}
	if p.settings.RedisURL.Embedded() {
		return usageError("status cannot use the embedded Redis, which is empty: set ICIMS_EXPORT_REDIS_URL to the Redis of the workers")
	}
	client, closeRedis, err := openRedis(ctx, p.settings, p.warn)
	if err != nil {
		return err
	}
	defer closeRedis()
	// Counts and outcomes are not sealed, so no keyset is needed. With one, the output shows who
	// paused the customer.
	keys, _ := readKeyset(p.settings, p.warn)
	ledger := newLedger(client, keys, p.settings)
	b, err := ledger.Batches.Get(ctx, id)
	if errors.Is(err, store.ErrNoBatch) {
		return failed("batch %s does not exist in this Redis; its results may have expired (ICIMS_EXPORT_RESULT_RETENTION)", id)
	}
	if err != nil {
		return failed("cannot read the batch. %s", causeOf(err))
	}
	if c.Refused {
		return c.printRefused(ctx, p, ledger, b)
	}
	service := p.service(client, ledger, keys == nil)
	exports := admin.Outcomes(ctx, ledger, id, service.Connections.Links(ctx, id.Customer()))
	if c.Failed {
		exports = onlyDead(exports)
	}
	var ahead *batchForecast
	if b.Moving() > 0 {
		ahead = p.forecastOf(ctx, service, b)
	}
	if c.JSON {
		err = writeStatusJSON(p.stdout, b, ahead, exports)
	} else {
		if err = c.print(p, b, ahead, exports); err == nil {
			summarizeRefused(ctx, p, ledger, b)
		}
	}
	switch {
	case err != nil:
		return failed("cannot show the results. %s", causeOf(err))
	case b.Moving() > 0 || b.Closed.IsZero():
		return errMoving
	case b.Dead > 0 || b.Refused > 0:
		return partial
	}
	return nil
}

func onlyDead(exports iter.Seq2[admin.Outcome, error]) iter.Seq2[admin.Outcome, error] {
	return func(yield func(admin.Outcome, error) bool) {
		for o, err := range exports {
			if (err != nil || o.State == store.Dead) && !yield(o, err) {
				return
			}
		}
	}
}

// print prints the counts and the exports: as tables on a terminal, tab-separated otherwise.
func (c *statusCommand) print(p *process, b store.Batch, ahead *batchForecast, exports iter.Seq2[admin.Outcome, error]) error {
	width, onTerminal := terminal(p.stdout)
	s := style{p.colours(p.stdout)}
	if !onTerminal {
		writeBatch(messages{p}, style{}, b)
		ahead.write(messages{p}, style{}, width)
		return writeTabs(p.stdout, exports)
	}
	writeBatch(p.stdout, s, b)
	ahead.write(p.stdout, s, width)
	fmt.Fprintln(p.stdout)
	t := table{out: p.stdout, style: s, indent: 2, width: width, right: map[int]bool{0: true}}
	titles := header("row", "candidate", "outcome", "person", "workflow", "when", "")
	hints := digest{}
	var page [][]cell
	for o, err := range exports {
		if err != nil {
			return err
		}
		if o.State == store.Dead && len(hints.dead) < shownDead {
			hints.dead = append(hints.dead, o)
		}
		if page == nil {
			page = append(page, titles)
		}
		page = append(page, []cell{{strconv.Itoa(o.Row), dim}, {whose(o), plain}, endOf(o), {id(o.Person), plain}, {id(o.Workflow), plain}, {prose.Moment(o.At), dim}, {noteOf(o), plain}})
		if len(page) > pageSize {
			if err := t.write(page...); err != nil {
				return err
			}
			page = page[:0]
		}
	}
	if err := t.write(page...); err != nil {
		return err
	}
	writeHints(p.stdout, width, hints.dead)
	return nil
}

// writeBatch prints the batch's target and counts.
func writeBatch(out io.Writer, s style, b store.Batch) {
	target := "prospects"
	if b.Job != 0 {
		target = fmt.Sprintf("job %d", b.Job)
	}
	state := s.paint(yellow, fmt.Sprintf("%d in progress", b.Moving()))
	switch {
	case b.Closed.IsZero():
		state = s.paint(yellow, "still being submitted")
	case b.Moving() == 0:
		state = "complete"
		if !b.Ended.IsZero() {
			state += " since " + prose.Moment(b.Ended)
		}
	}
	fmt.Fprintf(out, "Batch %s to %s: %s\n", s.paint(bold, string(b.ID)), target, state)
	fmt.Fprintf(out, "accepted %d  created %d  updated %d  skipped %d  dead %d  canceled %d  refused %d\n", b.Accepted, b.Created, b.Updated, b.Skipped, b.Dead, b.Cancelled, b.Refused)
	if text := b.ProfilesWithoutWorkflow(); text != "" {
		fmt.Fprintln(out, s.paint(yellow, text))
	}
	if text := b.Incomplete(); text != "" {
		fmt.Fprintln(out, s.paint(yellow, text))
	}
}

// writeHints prints the remedy once per reason.
func writeHints(out io.Writer, width int, dead []admin.Outcome) {
	said := map[store.Reason]bool{}
	for _, o := range dead {
		if said[o.Reason] {
			continue
		}
		if len(said) == 0 {
			fmt.Fprintln(out)
		}
		said[o.Reason] = true
		hang(out, width, "  → ", fmt.Sprintf("%s: %s", o.Title, o.Hint))
	}
}

var tabTitles = []string{"row", "candidate", "export", "outcome", "reason", "title", "hint", "person", "workflow", "ended", "due", "attempts", "warnings", "link"}

// writeTabs prints one tab-separated line per export, for scripts.
func writeTabs(out io.Writer, exports iter.Seq2[admin.Outcome, error]) error {
	if _, err := io.WriteString(out, strings.Join(tabTitles, "\t")+"\n"); err != nil {
		return err
	}
	for o, err := range exports {
		if err != nil {
			return err
		}
		ended, due := "", ""
		if !o.At.IsZero() {
			ended = o.At.UTC().Format("2006-01-02T15:04:05Z")
		}
		if !o.Due.IsZero() {
			due = o.Due.UTC().Format("2006-01-02T15:04:05Z")
		}
		_, err := io.WriteString(out, strings.Join([]string{
			strconv.Itoa(o.Row), o.Candidate, o.Export, endName(o), string(o.Reason), o.Title, o.Hint, id(o.Person), id(o.Workflow),
			ended, due, strconv.Itoa(o.Attempts), o.Outcome.Warnings, o.Link,
		}, "\t")+"\n")
		if err != nil {
			return err
		}
	}
	return nil
}

// writeStatusJSON streams one JSON object, without holding all exports in memory.
func writeStatusJSON(out io.Writer, b store.Batch, ahead *batchForecast, exports iter.Seq2[admin.Outcome, error]) error {
	head, err := json.Marshal(struct {
		Batch    store.Batch        `json:"batch"`
		Forecast *forecast.Forecast `json:"forecast,omitempty"`
		Warnings []string           `json:"warnings,omitempty"`
	}{b, ahead.json(), ahead.warningTexts()})
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(out, `%s,"outcomes":[`, head[:len(head)-1]); err != nil {
		return err
	}
	separator := "\n"
	for o, err := range exports {
		if err != nil {
			return err
		}
		line, err := json.Marshal(o)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprintf(out, "%s%s", separator, line); err != nil {
			return err
		}
		separator = ",\n"
	}
	_, err = io.WriteString(out, "\n]}\n")
	return err
}

// id formats an iCIMS ID; "" for 0.
func id(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}
