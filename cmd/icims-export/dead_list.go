package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/internal/prose"
)

type deadListCommand struct {
	deadChoice

	Limit int  `default:"-1" placeholder:"N" help:"Show at most N, 0 for all. Default: 100 on a terminal, otherwise all."`
	JSON  bool `name:"json" help:"Print one JSON object per line."`
}

// Run lists the selected dead letters.
func (c *deadListCommand) Run(ctx context.Context, p *process) error {
	if err := c.check(); err != nil {
		return err
	}
	o, closeRedis, err := openOperator(ctx, p, c.Text != "")
	if err != nil {
		return err
	}
	defer closeRedis()
	search, err := c.search(ctx, o, "")
	if err != nil {
		return err
	}
	if c.DryRun {
		counts, err := o.DeadLetters.Count(ctx, search)
		if err != nil {
			return o.lost(err)
		}
		return writeDeadCounts(p, counts, c.JSON)
	}
	width, onTerminal := terminal(p.stdout)
	limit := c.Limit
	if limit < 0 {
		limit = 0
		if onTerminal && !c.JSON {
			limit = 100
		}
	}
	write := deadTabs(p.stdout)
	switch {
	case c.JSON:
		write = deadJSON(p.stdout)
	case onTerminal:
		write = deadTable(p.stdout, style{p.colours(p.stdout)}, width)
	}
	counts, shown := admin.DeadCounts{}, 0
	err = o.DeadLetters.Each(ctx, search, func(_ string, page []admin.DeadLetter) error {
		counts.Add(page)
		if limit > 0 {
			page = page[:min(len(page), limit-shown)]
		}
		shown += len(page)
		return write(page)
	})
	if err != nil {
		return o.lost(err)
	}
	if c.JSON {
		return nil
	}
	c.summary(p, counts, shown)
	return nil
}

// summary prints how many there are and the remedy.
func (c *deadListCommand) summary(p *process, counts admin.DeadCounts, shown int) {
	all := counts.Total()
	switch {
	case all == 0:
		p.sayf("%s", noDeadLetters)
		return
	case shown < all:
		p.sayf("\n%s of %s shown, the oldest first; --limit=0 shows all.", prose.Grouped(shown), prose.Plural(all, "dead letter"))
	default:
		p.sayf("\n%s.", prose.Plural(all, "dead letter"))
	}
	width, _ := terminal(p.stderr)
	writeCountsByReason(messages{p}, width, counts)
}

const noDeadLetters = "No dead letter matches."

// writeDeadCounts prints the result of a dry run.
func writeDeadCounts(p *process, counts admin.DeadCounts, asJSON bool) error {
	if asJSON {
		return writeJSON(p.stdout, struct {
			DryRun   bool              `json:"dry_run"`
			Chosen   int               `json:"chosen"`
			ByReason []admin.DeadCount `json:"by_reason"`
		}{true, counts.Total(), counts.List()})
	}
	if len(counts) == 0 {
		fmt.Fprintln(p.stdout, noDeadLetters)
		return nil
	}
	width, _ := terminal(p.stdout)
	fmt.Fprintf(p.stdout, "%s match:\n", prose.Plural(counts.Total(), "dead letter"))
	writeCountsByReason(p.stdout, width, counts)
	return nil
}

// writeCountsByReason lists the reasons, most frequent first, with their remedies.
func writeCountsByReason(out io.Writer, width int, counts admin.DeadCounts) {
	var b strings.Builder
	for _, c := range counts.List() {
		head := fmt.Sprintf("%8s  ", prose.Grouped(c.Count))
		hang(&b, width, head, fmt.Sprintf("%s (%s)", c.Title, c.Reason))
		hang(&b, width, strings.Repeat(" ", len(head))+"→ ", c.Hint)
	}
	_, _ = io.WriteString(out, b.String())
}

func deadJSON(out io.Writer) func([]admin.DeadLetter) error {
	return func(page []admin.DeadLetter) error {
		encoder := json.NewEncoder(out)
		encoder.SetEscapeHTML(false)
		for _, d := range page {
			if err := encoder.Encode(d.Line()); err != nil {
				return err
			}
		}
		return nil
	}
}

var deadTitles = []string{"customer", "candidate", "export", "batch", "died", "attempts", "reason", "title", "person", "operation", "status", "codes", "transaction"}

// deadTabs writes one tab-separated line per dead letter, for scripts.
func deadTabs(out io.Writer) func([]admin.DeadLetter) error {
	titled := false
	return func(page []admin.DeadLetter) error {
		var b strings.Builder
		if !titled {
			titled = true
			b.WriteString(strings.Join(deadTitles, "\t") + "\n")
		}
		for _, d := range page {
			l := d.Line()
			b.WriteString(strings.Join([]string{
				l.Customer, l.Candidate, l.Export, string(l.Batch), l.Died.Format(time.RFC3339), strconv.Itoa(l.Attempts), string(l.Reason), l.Title,
				id(l.Person), l.Operation, id(int64(l.Status)), strings.Join(l.Codes, "; "), l.Transaction,
			}, "\t") + "\n")
		}
		_, err := io.WriteString(out, b.String())
		return err
	}
}

func deadTable(out io.Writer, s style, width int) func([]admin.DeadLetter) error {
	t := table{out: out, style: s, width: width}
	titled := false
	return func(page []admin.DeadLetter) error {
		if len(page) == 0 {
			return nil
		}
		var rows [][]cell
		if !titled {
			titled = true
			rows = append(rows, header("died", "candidate", "customer:export", "reason"))
		}
		for _, d := range page {
			note := d.Reason.Info().Title
			if answer := answerOf(d.Line()); answer != "" {
				note += " (" + answer + ")"
			}
			rows = append(rows, []cell{{prose.Moment(d.At), dim}, {d.Candidate, plain}, {d.Customer + ":" + d.Export, plain}, {note, red}})
		}
		return t.write(rows...)
	}
}

// answerOf summarizes iCIMS's last response.
func answerOf(l admin.DeadLine) string {
	if l.Operation == "" {
		return ""
	}
	text := l.Operation
	if l.Status != 0 {
		text += " " + strconv.Itoa(l.Status)
	}
	if len(l.Codes) > 0 {
		text += ", " + strings.Join(l.Codes, ", ")
	}
	return text
}
