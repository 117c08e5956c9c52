package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/seekout/icims-export/internal/prose"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/verify"
)

type verifyCommand struct {
	Customer        string        `arg:"" help:"iCIMS's customer id."`
	Job             int64         `placeholder:"ID" help:"System id of the test candidate's job. Default: the first job of a portal."`
	NoTestCandidate bool          `help:"Send no test candidate; write nothing to iCIMS."`
	Wait            time.Duration `default:"10m" placeholder:"DURATION" help:"How long to follow it. It continues in the background."`
	actor
}

// verifyPatience is how long other commands follow a verification that they request.
const verifyPatience = 10 * time.Minute

// Run verifies a connection.
func (c *verifyCommand) Run(ctx context.Context, p *process) error {
	if err := customerOf(c.Customer); err != nil {
		return err
	}
	if c.Job < 0 {
		return usageError("%d is not a job: use its system id from icims-export jobs %s", c.Job, c.Customer)
	}
	o, closeRedis, err := openOperator(ctx, p, true)
	if err != nil {
		return err
	}
	defer closeRedis()
	return c.verify(ctx, o)
}

// verify requests the verification, and prints its checks as they end.
func (c *verifyCommand) verify(ctx context.Context, o *operator) error {
	var (
		e      store.ControlTask
		joined bool
	)
	args := verify.Args{Job: c.Job, NoTestCandidate: c.NoTestCandidate}
	err := o.logged(ctx, &store.AuditLogEntry{What: "verify", Customer: c.Customer, Who: c.Who, Why: c.Why}, func() (err error) {
		e, joined, err = o.ControlTasks.Request(ctx, c.Customer, store.ControlVerify, args, whoIs(c.Who))
		return err
	})
	if err != nil {
		return o.actFailed(err)
	}
	if joined {
		o.p.sayf("A verification requested by %s is running; following it.", prose.Printable(e.By))
	}
	var v verify.Verification
	f := &verifyFollower{controlFollower: controlFollower{operator: o, what: "verification", progress: newProgress(o.p)}, json: c.JSON}
	err = f.follow(ctx, e, c.Wait, func(t store.ControlTask) (err error) {
		if v, err = verify.View(t); err != nil {
			return f.lost(err)
		}
		return f.show(v)
	})
	if err != nil {
		return err
	}
	if c.JSON {
		if err := writeJSON(o.p.stdout, v); err != nil {
			return err
		}
	} else if err := f.conclude(v); err != nil {
		return err
	}
	switch v.Report.Result {
	case verify.ResultConnected:
		return nil
	case verify.ResultDegraded:
		return partial
	default:
		return &exit{status: statusFailed}
	}
}

// verifyFollower prints a verification while it runs.
type verifyFollower struct {
	controlFollower

	json  bool
	shown int // checks
}

// show prints the checks that have ended since the last call.
func (f *verifyFollower) show(v verify.Verification) error {
	checks := v.Report.Checks
	for f.shown < len(checks) {
		c := checks[f.shown]
		if c.State == verify.Pending || c.State == verify.Running {
			f.progress.show("… " + titleOf(c))
			return nil
		}
		f.shown++
		f.progress.end()
		if f.json {
			continue
		}
		if err := f.print(c); err != nil {
			return err
		}
	}
	return nil
}

func titleOf(c verify.Check) string {
	if c.Subject != "" {
		return c.Title + " (" + prose.Printable(c.Subject) + ")"
	}
	return c.Title
}

var checkMarks = map[verify.State]cell{
	verify.OK: {"✓", green}, verify.Warned: {"!", yellow}, verify.Failed: {"✗", red}, verify.Skipped: {"–", dim},
}

// print prints one check: with a mark and a remedy on a terminal, tab-separated otherwise.
func (f *verifyFollower) print(c verify.Check) error {
	width, onTerminal := terminal(f.p.stdout)
	if !onTerminal {
		_, err := fmt.Fprintln(f.p.stdout, strings.Join([]string{
			string(c.Name), c.Subject, string(c.State), string(c.Code), prose.Printable(c.Cause), prose.Printable(c.Remedy), prose.Printable(c.Found), fmt.Sprint(c.Calls),
		}, "\t"))
		return err
	}
	s := style{f.p.colours(f.p.stdout)}
	mark := checkMarks[c.State]
	line := s.paint(mark.colour, mark.text) + " " + titleOf(c)
	if c.Found != "" {
		line += s.paint(dim, ": "+prose.Printable(c.Found))
	}
	fmt.Fprintln(f.p.stdout, line)
	if c.State == verify.Warned || c.State == verify.Failed {
		hang(f.p.stdout, width, "  ", prose.Printable(c.Cause))
		hang(f.p.stdout, width, "  → ", prose.Printable(c.Remedy))
	}
	return nil
}

// conclude prints the result.
func (f *verifyFollower) conclude(v verify.Verification) error {
	out := f.p.stdout
	if _, onTerminal := terminal(out); !onTerminal {
		out = messages{f.p}
	}
	width, _ := terminal(out)
	hang(out, width, "", verdictOf(v))
	if v.Report.Profile.VerifiedAt == 0 {
		return nil // nothing new
	}
	hang(out, width, "", "The customer's iCIMS:")
	for _, finding := range v.Report.Profile.Findings() {
		hang(out, width, "  • ", finding.Means)
	}
	return nil
}

func verdictOf(v verify.Verification) string {
	text := fmt.Sprintf("Customer %s was not verified.", v.Customer)
	if v.Failure != "" {
		return text + " " + v.Problem + " " + v.Remedy
	}
	switch v.Report.Result {
	case verify.ResultConnected:
		text = fmt.Sprintf("Customer %s is connected.", v.Customer)
	case verify.ResultDegraded:
		text = fmt.Sprintf("Customer %s works with limits: see the marked checks above.", v.Customer)
	case verify.ResultRefused:
		text = fmt.Sprintf("iCIMS refuses the connection of customer %s. Its exports wait until this is fixed.", v.Customer)
	case verify.ResultIncomplete:
		text = fmt.Sprintf("Customer %s could not be verified now. Its connection is unchanged.", v.Customer)
	case verify.ResultRunning:
	}
	return text + fmt.Sprintf(" It took %s to iCIMS.", prose.Plural(v.Calls, "call"))
}
