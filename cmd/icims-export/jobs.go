package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/seekout/icims-export/internal/prose"
	"github.com/seekout/icims-export/jobs"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks/input"
)

type jobsCommand struct {
	Customer string `arg:"" help:"iCIMS's customer id."`

	Search  string        `placeholder:"TEXT" help:"Only jobs with all these words in title, number or location, ignoring case and accents, or with an id that starts so."`
	Refresh bool          `help:"Refresh the list from iCIMS."`
	Wait    time.Duration `default:"30s" placeholder:"DURATION" help:"How long to wait for the first list, or for --refresh."`
	Limit   int           `default:"-1" placeholder:"N" help:"Show at most N, 0 for all. Default: 100 on a terminal, otherwise all."`
	JSON    bool          `name:"json" help:"Print one JSON object."`
}

// Run lists a customer's jobs.
func (c *jobsCommand) Run(ctx context.Context, p *process) error {
	if !input.ValidCustomer(c.Customer) {
		return usageError("%q is not an iCIMS customer id: digits only", c.Customer)
	}
	o, closeRedis, err := openOperator(ctx, p, true)
	if err != nil {
		return err
	}
	defer closeRedis()
	page, err := c.list(ctx, o)
	switch {
	case errors.Is(err, store.ErrNoConnection):
		return failed("customer %s has no connection: add one with icims-export connection add %s", c.Customer, c.Customer)
	case ctx.Err() != nil:
		return failed("stopped; a requested refresh continues")
	case err != nil:
		return o.lost(err)
	}
	if c.JSON {
		return writeJSON(p.stdout, page)
	}
	return jobList{page, o.Jobs.Now()}.print(p, c)
}

// list requests the jobs and shows that it waits.
func (c *jobsCommand) list(ctx context.Context, o *operator) (jobs.ListPage, error) {
	_, onTerminal := terminal(o.p.stdout)
	q := jobs.Query{Text: c.Search, Wait: c.Wait, Refresh: c.Refresh, By: whoIs("")}
	if q.Limit = c.Limit; q.Limit < 0 {
		q.Limit = 0
		if onTerminal && !c.JSON {
			q.Limit = shownJobs
		}
	}
	progress := newProgress(o.p)
	if progress.live {
		progress.show("Requesting the jobs of customer " + c.Customer + " …")
		defer progress.end()
	}
	return o.Jobs.List(ctx, c.Customer, q)
}

// shownJobs limits the jobs printed on a terminal.
const shownJobs = 100

// jobList prints a list of jobs.
type jobList struct {
	jobs.ListPage

	now time.Time
}

func (l jobList) print(p *process, c *jobsCommand) error {
	width, onTerminal := terminal(p.stdout)
	var err error
	switch {
	case !onTerminal:
		err = l.writeTabs(p.stdout)
	case len(l.Jobs) > 0:
		err = l.writeTable(p.stdout, style{p.colours(p.stdout)}, width)
	}
	if err != nil {
		return err
	}
	l.summary(p, c)
	return nil
}

func (l jobList) writeTable(out io.Writer, s style, width int) error {
	t := table{out: out, style: s, width: width, right: map[int]bool{0: true}}
	rows := make([][]cell, 0, 1+len(l.Jobs))
	rows = append(rows, header("id", "number", "updated", "location", "title"))
	const longest = 24 // of columns before the title
	for _, j := range l.Jobs {
		updated, title := "", cell{prose.Printable(j.Title), plain}
		if j.Updated != nil {
			updated = j.Updated.Local().Format(time.DateOnly)
		}
		if j.Provisional {
			title.colour = dim
		}
		rows = append(rows, []cell{
			{strconv.FormatInt(j.ID, 10), bold}, {clip(prose.Printable(j.Number), longest), plain}, {updated, dim},
			{clip(prose.Printable(j.Location), longest), plain}, title,
		})
	}
	return t.write(rows...)
}

func (l jobList) writeTabs(out io.Writer) error {
	var b strings.Builder
	b.WriteString("id\tnumber\tupdated\tlocation\ttitle\tprovisional\n")
	for _, j := range l.Jobs {
		updated := ""
		if j.Updated != nil {
			updated = utc(*j.Updated)
		}
		b.WriteString(strings.Join([]string{
			strconv.FormatInt(j.ID, 10), prose.Printable(j.Number), updated, prose.Printable(j.Location), prose.Printable(j.Title), strconv.FormatBool(j.Provisional),
		}, "\t") + "\n")
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// summary prints the state of the list and its cost in calls.
func (l jobList) summary(p *process, c *jobsCommand) {
	width, _ := terminal(p.stderr)
	say := func(text string) { hang(messages{p}, width, "", text) }
	if len(l.Jobs) > 0 {
		p.sayf("")
	}
	say(l.count(c))
	if l.Titles.Provisional > 0 {
		text := prose.Plural(l.Titles.Provisional, "title") + " taken from the URL of the job's page"
		if l.Titles.Pending > 0 {
			text += fmt.Sprintf("; %s still to be read", prose.Plural(l.Titles.Pending, "job"))
		}
		say(text + ".")
	}
	for _, t := range l.Unreadable {
		say(fmt.Sprintf("Portal %s is missing: %s. %s", prose.Printable(t.Portal), t.Title, t.Remedy))
	}
	if t := l.Problem; t != nil {
		say(fmt.Sprintf("Refresh failed: %s. %s", t.Title, t.Remedy))
	}
	l.printRefresh(say)
	cost := l.Calls
	say(fmt.Sprintf("Calls to iCIMS: last refresh %s for the list and %s for titles, next %s and %s; today %s of a share of %s.",
		prose.Grouped(cost.Last.List), prose.Grouped(cost.Last.Titles), prose.Grouped(cost.Next.List), prose.Grouped(cost.Next.Titles),
		prose.Grouped(cost.Today), prose.Grouped(cost.Share)))
}

// count prints the number of jobs and the list's age.
func (l jobList) count(c *jobsCommand) string {
	if l.AsOf == nil {
		return fmt.Sprintf("The jobs of customer %s have not been read yet.", l.Customer)
	}
	text := prose.Plural(l.Found, "job")
	if c.Search != "" {
		text += fmt.Sprintf(" of %s found", prose.Grouped(l.Total))
	}
	if len(l.Jobs) < l.Found {
		text += fmt.Sprintf(", the newest %s shown (--limit=0 shows all)", prose.Grouped(len(l.Jobs)))
	}
	return fmt.Sprintf("%s, as of %s ago.", text, prose.Span(l.now.Sub(*l.AsOf)))
}

// refreshPatience is how long a refresh waits for a worker before the command says so.
const refreshPatience = 3 * time.Second

func (l jobList) printRefresh(say func(string)) {
	switch r := l.Refresh; {
	case r == nil:
	case r.Began != nil && l.AsOf != nil && !l.Stale:
		say("Titles are being read.")
	case r.Began != nil:
		say(fmt.Sprintf("The list is being refreshed, with %s so far.", prose.Plural(r.Calls, "call")))
	case l.now.Sub(r.Asked) >= refreshPatience:
		say(fmt.Sprintf("The list was requested %s ago, but no worker has started: check that one runs (icims-export worker).", prose.Span(l.now.Sub(r.Asked))))
	default:
		say("The list was requested. Run the command again in a moment.")
	}
}
