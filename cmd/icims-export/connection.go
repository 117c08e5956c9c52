package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/rs/zerolog"
	"golang.org/x/term"

	"github.com/seekout/icims-export/admin"
	checks "github.com/seekout/icims-export/connections"
	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/internal/prose"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks/input"
)

type connectionCommand struct {
	List   connectionListCommand   `cmd:"" help:"List stored connections."`
	Show   connectionShowCommand   `cmd:"" help:"Show a connection and its history."`
	Add    connectionAddCommand    `cmd:"" help:"Add a customer's connection. Running workers load it within seconds."`
	Edit   connectionEditCommand   `cmd:"" help:"Change settings of a connection. Other settings stay."`
	Remove connectionRemoveCommand `cmd:"" help:"Erase a connection's settings and credentials."`
}

// passwordFlags choose where a password is read from. It is never an argument, since other users of
// the machine can see those.
type passwordFlags struct {
	PasswordFile string `placeholder:"FILE" xor:"password" help:"File that contains only the password (for hmac the key, for oauth the client secret), or - for standard input."`
	PasswordEnv  string `placeholder:"NAME" xor:"password" help:"Environment variable with the password."`
}

// read reads the password; prompt asks for it if no flag names a source.
func (f passwordFlags) read(p *process, prompt bool) (store.Secret, error) {
	switch {
	case f.PasswordEnv != "":
		value, ok := p.lookupEnv(f.PasswordEnv)
		if !ok || value == "" {
			return "", usageError("environment variable %s is not set: set it to the password", f.PasswordEnv)
		}
		return store.Secret(value), nil
	case f.PasswordFile == "-":
		return onlyLine("standard input", p.stdin)
	case f.PasswordFile != "":
		file, err := os.Open(f.PasswordFile)
		if err != nil {
			return "", usageError("password file %s cannot be read (%s): correct --password-file", f.PasswordFile, rootCause(err))
		}
		defer file.Close()
		return onlyLine("the password file "+f.PasswordFile, file)
	case !prompt:
		return "", nil
	}
	in, isFile := p.stdin.(*os.File)
	if !isFile || !term.IsTerminal(int(in.Fd())) {
		return "", usageError("no terminal to prompt for the password: use --password-file (- for standard input) or --password-env")
	}
	fmt.Fprint(p.stderr, "Password (hidden): ")
	typed, err := term.ReadPassword(int(in.Fd()))
	fmt.Fprintln(p.stderr)
	if err != nil {
		return "", failed("the password could not be read: %s", rootCause(err))
	}
	return store.Secret(typed), nil
}

// actor are the flags of commands that change something.
type actor struct {
	Why  string `placeholder:"TEXT" help:"Reason, recorded in the audit log."`
	Who  string `placeholder:"NAME" help:"Who does it. Default: user@host."`
	JSON bool   `name:"json" help:"Print the result as one JSON object."`
}

// apply applies settings given as name=value.
func apply(c *store.Connection, settings []string) error {
	for _, text := range settings {
		name, value, ok := strings.Cut(text, "=")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		if name == "password" {
			return usageError("do not pass a password as an argument, since other users of the machine can see it: enter it at the prompt, or use --password-file or --password-env")
		}
		if !ok {
			return usageError("%q is not a setting: use name=value, such as username=export-user", name)
		}
		err := c.Set(name, value)
		if wrong, ok := errors.AsType[*store.SettingError](err); ok && wrong.Unknown {
			return usageError("unknown setting %q%s\nsettings: %s", name, prose.DidYouMean(name, store.SettingNames()), strings.Join(store.SettingNames(), ", "))
		}
		if err != nil {
			return usageError("%v", err)
		}
	}
	return nil
}

// refusedConnection lists the problems of a connection, one per line.
func refusedConnection(err error) error {
	invalid, ok := errors.AsType[*checks.InvalidError](err)
	if !ok {
		return err
	}
	lines := make([]string, len(invalid.Problems))
	for i, problem := range invalid.Problems {
		lines[i] = problem.Error()
	}
	return usageError("%s", strings.Join(lines, "\n"))
}

func customerOf(text string) error {
	if !input.ValidCustomer(text) {
		return usageError("%q is not an iCIMS customer id: digits only", text)
	}
	return nil
}

type connectionAddCommand struct {
	Customer string   `arg:"" help:"iCIMS's customer id."`
	Settings []string `arg:"" optional:"" name:"setting" help:"name=value, such as username=export-user and portal_urls=https://…. docs/connections.md lists the names."`
	Verify   bool     `help:"Verify the connection afterwards, with a test candidate. With --json the verification is a second object."`
	Import   bool     `help:"Start from the customer's entry in the connections file, including the password."`
	passwordFlags
	actor
}

// Run adds a connection.
func (c *connectionAddCommand) Run(ctx context.Context, p *process) error {
	if err := customerOf(c.Customer); err != nil {
		return err
	}
	hosts, err := hostPolicy(p.settings)
	if err != nil {
		return err
	}
	conn := store.Connection{Customer: c.Customer}
	if c.Import {
		entry, ok := p.filed(zerolog.Nop()).usable()[c.Customer]
		if !ok {
			return usageError("the connections file (ICIMS_EXPORT_CONNECTIONS) has no usable entry for customer %s", c.Customer)
		}
		conn = withoutDefaults(entry)
	}
	if err := apply(&conn, c.Settings); err != nil {
		return err
	}
	// Check the settings before asking for a password.
	unknown := conn
	unknown.Password = "?"
	if err := checks.Check(unknown, hosts); err != nil {
		return refusedConnection(err)
	}
	password, err := c.read(p, conn.Password == "")
	if err != nil {
		return err
	}
	if password != "" {
		conn.Password = password
	}
	if err := checks.Check(conn, hosts); err != nil {
		return refusedConnection(err)
	}
	o, closeRedis, err := openOperator(ctx, p, true)
	if err != nil {
		return err
	}
	defer closeRedis()
	var stored store.StoredConnection
	err = o.logged(ctx, &store.AuditLogEntry{What: "connection add", Customer: c.Customer, Who: c.Who, Why: c.Why}, func() (err error) {
		stored, err = o.Connections.Add(ctx, conn, whoIs(c.Who), c.Why)
		return err
	})
	if errors.Is(err, store.ErrConnectionExists) {
		return usageError("customer %s already has a connection (revision %d): change it with icims-export connection edit, or remove it first", c.Customer, stored.Revision)
	}
	if err != nil {
		return o.actFailed(err)
	}
	if err := c.report(p, "added", stored, hosts); err != nil || !c.Verify {
		return err
	}
	return (&verifyCommand{Customer: c.Customer, Wait: verifyPatience, actor: c.actor}).verify(ctx, o)
}

// withoutDefaults removes defaults that reading the file has filled in, so that the connection
// follows later changes of a default.
func withoutDefaults(c store.Connection) store.Connection {
	defaults := map[string]string{}
	store.Connection{}.WithDefaults().Settings(func(name, value string) { defaults[name] = value })
	short := c
	c.Settings(func(name, value string) {
		if defaults[name] == value {
			_ = short.Set(name, "") // the name is a known setting
		}
	})
	short.Limits.DayAssumed = false
	return short
}

type connectionEditCommand struct {
	Customer string   `arg:"" help:"iCIMS's customer id."`
	Settings []string `arg:"" optional:"" name:"setting" help:"name=value, such as limits.in_flight=2. An empty value resets to the default. docs/connections.md lists the names."`
	Password bool     `help:"Ask for a new password. Default: keep the old one."`
	Revision int64    `placeholder:"N" help:"Only if the connection still has this revision."`
	passwordFlags
	actor
}

// Run edits settings.
func (c *connectionEditCommand) Run(ctx context.Context, p *process) error {
	if err := customerOf(c.Customer); err != nil {
		return err
	}
	hosts, err := hostPolicy(p.settings)
	if err != nil {
		return err
	}
	o, closeRedis, err := openOperator(ctx, p, true)
	if err != nil {
		return err
	}
	defer closeRedis()
	before, err := o.stored(ctx, c.Customer)
	if err != nil {
		return err
	}
	if c.Revision != 0 && c.Revision != before.Revision {
		return changedMeanwhile(&store.ConnectionChangedError{Customer: c.Customer, Revision: before.Revision})
	}
	after := before.Connection
	if err := apply(&after, c.Settings); err != nil {
		return err
	}
	if after.Password, err = c.read(p, c.Password); err != nil {
		return err
	}
	if len(c.Settings) == 0 && after.Password == "" {
		return usageError("name what to change: settings as name=value, or --password")
	}
	if strings.TrimSpace(c.Why) == "" {
		return usageError("give a reason with --why; the audit log records it")
	}
	var stored store.StoredConnection
	err = o.logged(ctx, &store.AuditLogEntry{What: "connection edit", Customer: c.Customer, Who: c.Who, Why: c.Why}, func() (err error) {
		stored, err = o.Connections.Edit(ctx, before, after, whoIs(c.Who), c.Why)
		return err
	})
	if invalid, ok := errors.AsType[*checks.InvalidError](err); ok {
		return refusedConnection(invalid)
	}
	if changed, ok := errors.AsType[*store.ConnectionChangedError](err); ok {
		return changedMeanwhile(changed)
	}
	if err != nil {
		return o.actFailed(err)
	}
	if stored.Revision == before.Revision {
		return c.report(p, "left as it was", stored, hosts)
	}
	return c.report(p, "changed", stored, hosts)
}

func changedMeanwhile(e *store.ConnectionChangedError) error {
	return failed("the connection of customer %s changed meanwhile and now has revision %d: check it with icims-export connection show %s, then run the command again", e.Customer, e.Revision, e.Customer)
}

// stored reads a customer's stored connection.
func (o *operator) stored(ctx context.Context, customer string) (store.StoredConnection, error) {
	c, err := o.Ledger.Connections.Get(ctx, customer)
	switch {
	case errors.Is(err, store.ErrNoConnection), err == nil && !c.Below().Kept():
		return c, failed("customer %s has no stored connection: icims-export connection add adds one, icims-export connection list shows all", customer)
	case err != nil:
		return c, o.lost(err)
	}
	return c, nil
}

func (w actor) report(p *process, what string, c store.StoredConnection, hosts icims.HostPolicy) error {
	view := admin.ViewConnection(c, hosts)
	if w.JSON {
		return writeJSON(p.stdout, view)
	}
	width, _ := terminal(p.stdout)
	hang(p.stdout, width, "", fmt.Sprintf("The connection of customer %s was %s: revision %d, %s, region %s, %s. Workers load it within seconds.",
		c.Customer, what, c.Revision, c.State, view.Region, prose.Plural(len(view.Portals), "portal")))
	return nil
}

// onlyLine reads a password from input that contains nothing else.
func onlyLine(name string, in io.Reader) (store.Secret, error) {
	const longest = 64 << 10 // HMAC keys may be long
	text, err := io.ReadAll(io.LimitReader(in, longest))
	password := strings.TrimSuffix(strings.TrimSuffix(string(text), "\n"), "\r")
	switch {
	case err != nil:
		return "", usageError("%s cannot be read: %s", name, rootCause(err))
	case password == "":
		return "", usageError("%s is empty: it must contain the password", name)
	case strings.ContainsAny(password, "\r\n"):
		return "", usageError("%s has several lines: it must contain only the password", name)
	}
	return store.Secret(password), nil
}
