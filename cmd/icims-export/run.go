package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"

	"github.com/alecthomas/kong"
	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/config"
)

// Exit statuses.
const (
	statusDone    = 0 // all candidates were exported or skipped
	statusFailed  = 1 // any other failure
	statusUsage   = 2 // wrong flags, settings or files
	statusPartial = 3 // some candidates were refused or are dead
)

// grammar is the command line.
type grammar struct {
	config.Settings

	Demo       demoCommand       `cmd:"" help:"Export generated candidates into a simulated iCIMS. Needs no setup."`
	Export     exportCommand     `cmd:"" help:"Export the candidates of a file."`
	Status     statusCommand     `cmd:"" help:"Show the results of a batch. Exits with 1 while exports are in progress."`
	Show       showCommand       `cmd:"" help:"Show the timeline of a candidate's exports."`
	Cancel     cancelCommand     `cmd:"" help:"Cancel waiting exports of a batch or a customer."`
	Erase      eraseCommand      `cmd:"" help:"Erase all data of a candidate."`
	Connection connectionCommand `cmd:"" help:"Add, edit, show and remove customers' connections."`
	Verify     verifyCommand     `cmd:"" help:"Verify a customer's connection with a test candidate. Exits with 3 if it works with limits, with 1 if it does not."`
	Jobs       jobsCommand       `cmd:"" help:"List the jobs that candidates can be exported to."`
	Dead       deadCommand       `cmd:"" help:"List, explain, retry, transfer and discard dead letters."`
	Lanes      lanesCommand      `cmd:"" help:"Show customers' queues, calls left, and what blocks them."`
	Pause      pauseCommand      `cmd:"" help:"Pause a customer: all workers stop its calls at once, exports wait."`
	Resume     resumeCommand     `cmd:"" help:"Resume a paused customer."`
	Check      checkCommand      `cmd:"" aliases:"audit" help:"Check that no export is lost and all records agree; with --remote, that iCIMS stored what was sent. Exits with 3 on violations."`
	Journal    journalCommand    `cmd:"" help:"Show the audit log: changes over the API and the command line."`
	Worker     workerCommand     `cmd:"" help:"Run a worker, which exports accepted candidates to iCIMS."`
	Serve      serveCommand      `cmd:"" help:"Serve the HTTP API and the console."`
	Health     healthCommand     `cmd:"" help:"Check whether a running worker or API is ready. Exits with 1 if not."`
	APIKeys    apikeysCommand    `cmd:"" name:"apikeys" help:"Create, list and revoke API keys."`
	Sessions   sessionsCommand   `cmd:"" help:"List and end console sessions."`
	Sim        simCommand        `cmd:"" help:"Run a simulated iCIMS."`
	Keys       keysCommand       `cmd:"" help:"Create, rotate and inspect sealing keys."`
	RedisACL   redisACLCommand   `cmd:"" name:"redis-acl" help:"Create a password and an ACL file for a dedicated Redis. Existing files are kept."`
	Version    versionCommand    `cmd:"" help:"Print the version."`
}

const description = "Exports candidates to iCIMS, each effectively once.\n\n" +
	"Exit status: 0 all done or skipped, 3 some refused or dead (or violations found), 2 usage error, 1 other errors."

// withSettings are the commands that use the settings. The help of the others omits them.
var withSettings = []string{"apikeys", "cancel", "check", "connection", "dead", "erase", "export", "health", "jobs", "journal", "keys", "lanes", "pause", "redis-acl", "resume", "serve", "sessions", "show", "status", "verify", "worker"}

var subcommands = map[string][]string{
	"apikeys":    {"new", "list", "revoke"},
	"connection": {"list", "show", "add", "edit", "remove"},
	"dead":       {"list", "show", "retry", "transfer", "discard"},
	"sessions":   {"list", "end"},
	"keys":       {"new", "status", "rotate", "promote", "reseal", "drop", "adopt"},
}

// audit is the former name of check.
var commands = append([]string{"audit", "demo", "sim", "version"}, withSettings...)

// silence keeps go-redis from logging on its own: it also returns what it logs as errors.
var silence = sync.OnceFunc(func() { redis.SetLogger(noLog{}) })

type noLog struct{}

func (noLog) Printf(context.Context, string, ...any) {}

// run parses args and runs the command. It returns the exit status.
func run(ctx context.Context, p *process, args []string) int {
	silence()
	out := &visible{out: p.stdout}
	p.stdout, p.stderr = out, &visible{out: p.stderr}
	var (
		cli    grammar
		helped bool
	)
	options := append(config.Options(),
		kong.Name("icims-export"), kong.Description(description),
		kong.Writers(p.stdout, p.stderr),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.Help(printHelp), kong.ValueFormatter(helpOf),
		// Kong calls this after --help and continues.
		kong.Exit(func(int) { helped = true }),
		kong.BindTo(ctx, (*context.Context)(nil)), kong.Bind(p),
	)
	parser, err := kong.New(&cli, options...)
	if err != nil {
		panic(err) // the grammar is part of the program
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	parsed, err := parser.Parse(args)
	switch {
	case helped:
		return statusDone
	case err != nil:
		p.printError(err)
		p.printError(helpFor(args, err))
		return statusUsage
	}
	p.settings = cli.Settings
	out.json = slices.ContainsFunc(parsed.Flags(), func(f *kong.Flag) bool { return f.Name == "json" && f.Target.Bool() })
	return p.finish(parsed.Run())
}

// helpFor adds a pointer to the help to usage errors that do not name a remedy.
func helpFor(args []string, err error) error {
	_, setting := errors.AsType[*config.Problem](err)
	_, file := errors.AsType[*config.FileError](err)
	if setting || file || strings.Contains(err.Error(), "from envar") {
		return nil
	}
	if unexpected, is := strings.CutPrefix(err.Error(), "unexpected argument "); is {
		switch {
		case args[0] == "connection" && strings.HasPrefix(unexpected, "verify"):
			return errors.New("use icims-export verify CUSTOMER")
		case strings.Contains(unexpected, "="):
			return errors.New("put settings (name=value) before flags")
		}
	}
	command := "icims-export"
	if len(args) > 0 && slices.Contains(commands, args[0]) {
		command += " " + args[0]
		if len(args) > 1 && slices.Contains(subcommands[args[0]], args[1]) {
			command += " " + args[1]
		}
	}
	return errors.New("see " + command + " --help")
}

func printHelp(options kong.HelpOptions, ctx *kong.Context) error {
	selected := ctx.Selected()
	for _, flag := range ctx.Model.Flags {
		flag.Hidden = flag.Hidden || flag.Group != nil && !shows(selected, flag.Group.Key)
	}
	if err := kong.DefaultHelpPrinter(options, ctx); err != nil {
		return err
	}
	if selected == nil || len(selected.Children) > 0 || shows(selected, "files") && !shows(selected, "logging") {
		_, err := io.WriteString(ctx.Stdout, "\nAll settings: \"icims-export worker --help\", \"icims-export serve --help\" and docs/configuration.md.\n")
		return err
	}
	return nil
}

// shows reports whether a command's help lists a group of settings. worker and serve list the
// settings they use; other commands list only what they need.
func shows(selected *kong.Node, group string) bool {
	if selected == nil || len(selected.Children) > 0 {
		return false
	}
	switch name := topCommand(selected).Name; name {
	case "worker":
		return group != "api"
	case "serve":
		return !slices.Contains([]string{"limits", "retry", "worker"}, group)
	default:
		return group == "files" && slices.Contains(withSettings, name)
	}
}

// helpOf returns a flag's help with its default and environment variable, unless the flag's name or
// help already shows them.
func helpOf(value *kong.Value) string {
	var notes []string
	switch {
	case !value.HasDefault || value.Default == "" || strings.HasPrefix(value.Default, "-"): // none, or a number that means none
	case value.Flag == nil || value.Flag.PlaceHolder == "": // --seed=1 shows it
	default:
		notes = append(notes, "default "+value.Default)
	}
	for _, env := range value.Tag.Envs {
		notes = append(notes, "$"+env)
	}
	if len(notes) == 0 {
		return value.Help
	}
	return strings.TrimSuffix(value.Help, ".") + " (" + strings.Join(notes, ", ") + ")."
}

// topCommand returns the top-level command of a subcommand.
func topCommand(node *kong.Node) *kong.Node {
	for node.Parent != nil && node.Parent.Type == kong.CommandNode {
		node = node.Parent
	}
	return node
}

// exit is an error with an exit status. Its message is a sentence with the remedy, or empty if
// everything was printed.
type exit struct {
	status  int
	message string
}

func (e *exit) Error() string { return e.message }

// usageError returns a usage error.
func usageError(format string, args ...any) error {
	return &exit{statusUsage, fmt.Sprintf(format, args...)}
}

// failed returns an error for a command that failed.
func failed(format string, args ...any) error {
	return &exit{statusFailed, fmt.Sprintf(format, args...)}
}

// partial ends a command that succeeded, but not for all candidates.
var partial = &exit{status: statusPartial}

// finish prints a command's error and returns the exit status.
func (p *process) finish(err error) int {
	if err == nil {
		return statusDone
	}
	p.printError(err)
	if e, ok := errors.AsType[*exit](err); ok {
		return e.status
	}
	return statusFailed
}

// printError prints each line of an error.
func (p *process) printError(err error) {
	if err == nil {
		return
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		if line = strings.TrimSpace(line); line != "" {
			p.sayf("icims-export: %s", line)
		}
	}
}
