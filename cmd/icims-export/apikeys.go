package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/seekout/icims-export/api"
	"github.com/seekout/icims-export/internal/prose"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks/input"
)

type apikeysCommand struct {
	New    apikeysNewCommand    `cmd:"" help:"Create an API key. It is shown only once."`
	List   apikeysListCommand   `cmd:"" help:"List API keys and their last use."`
	Revoke apikeysRevokeCommand `cmd:"" help:"Revoke an API key at once."`
}

type apikeysNewCommand struct {
	Name         string   `required:"" placeholder:"TEXT" help:"Owner of the key, as shown in the audit log."`
	Scope        []string `required:"" placeholder:"SCOPE,..." help:"Scope: read, export, operate or admin. Each includes read; admin includes all."`
	Customer     []string `placeholder:"ID,..." help:"Customers that the key is valid for."`
	AllCustomers bool     `help:"Make the key valid for all customers, including future ones."`
	Expires      string   `placeholder:"TIME" help:"Expiry: a duration such as 90d or 12h, or a time such as 2027-01-31 (local). Default: never."`
	actor
}

// Run creates a key and prints it.
func (c *apikeysNewCommand) Run(ctx context.Context, p *process) error {
	now := time.Now()
	key, err := c.key(now)
	if err != nil {
		return err
	}
	o, closeRedis, err := openOperator(ctx, p, true)
	if err != nil {
		return err
	}
	defer closeRedis()
	key.By = whoIs(c.Who)
	var token string
	err = o.logged(ctx, &store.AuditLogEntry{What: "apikeys new", Object: key.Name, Who: c.Who, Why: c.Why}, func() error {
		key, token, err = o.Ledger.Access.NewAPIKey(ctx, key, now)
		if err != nil {
			return o.lost(err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if c.JSON {
		return writeJSON(p.stdout, struct {
			store.APIKey

			Token string `json:"token"`
		}{key, token})
	}
	p.sayf("Key %s, %q: %s; %s; %s. Store the key below where only its user can read it. It is shown only once.",
		key.ID, prose.Printable(key.Name), strings.Join(key.Scopes, ", "), customersOf(key), keyEnd(key, now, time.DateTime))
	fmt.Fprintln(p.stdout, token)
	return nil
}

const longestKeyName = 100

// key returns the key that the flags describe.
func (c *apikeysNewCommand) key(now time.Time) (store.APIKey, error) {
	k := store.APIKey{Name: strings.TrimSpace(c.Name)}
	if k.Name == "" || len(k.Name) > longestKeyName {
		return k, usageError("--name must have 1 to %d characters and name the key's owner", longestKeyName)
	}
	for _, scope := range c.Scope {
		if scope = strings.ToLower(strings.TrimSpace(scope)); !slices.Contains(api.Scopes(), api.Scope(scope)) {
			return k, usageError("--scope %q is unknown: use read, export, operate or admin", scope)
		}
		if !slices.Contains(k.Scopes, scope) {
			k.Scopes = append(k.Scopes, scope)
		}
	}
	for _, customer := range c.Customer {
		if customer = strings.TrimSpace(customer); !input.ValidCustomer(customer) {
			return k, usageError("--customer %q is not an iCIMS customer id: digits only", customer)
		}
		if !slices.Contains(k.Customers, customer) {
			k.Customers = append(k.Customers, customer)
		}
	}
	if c.AllCustomers == (len(k.Customers) > 0) {
		return k, usageError("name the key's customers: --customer 1234, or --all-customers")
	}
	if c.Expires == "" {
		return k, nil
	}
	var err error
	if k.Expires, err = parseEnd(c.Expires, now); err != nil {
		return k, err
	}
	return k, nil
}

// parseEnd parses a key's expiry time.
func parseEnd(text string, now time.Time) (time.Time, error) {
	refused := usageError("--expires %q is not a future time: use a duration such as 90d or 12h, or a time such as 2027-01-31 or 2027-01-31T15:04:05Z", text)
	end, ok := readUntil(text, now)
	if !ok || !end.After(now) {
		return time.Time{}, refused
	}
	return end.UTC().Truncate(time.Second), nil
}

func customersOf(k store.APIKey) string {
	switch len(k.Customers) {
	case 0:
		return "all customers"
	case 1:
		return "customer " + k.Customers[0]
	default:
		return "customers " + strings.Join(k.Customers, ", ")
	}
}

// keyEnd formats when a key expires or expired, in the given layout.
func keyEnd(k store.APIKey, now time.Time, layout string) string {
	switch {
	case !k.Revoked.IsZero():
		return "revoked " + k.Revoked.Local().Format(layout)
	case k.Expires.IsZero():
		return "never expires"
	case !k.Expires.After(now):
		return "expired " + k.Expires.Local().Format(layout)
	default:
		return "expires " + k.Expires.Local().Format(layout)
	}
}

type apikeysListCommand struct {
	All  bool `help:"Include keys revoked or expired in the last 90 days."`
	JSON bool `name:"json" help:"Print the list as one JSON array."`
}

// Run lists the keys.
func (c *apikeysListCommand) Run(ctx context.Context, p *process) error {
	o, closeRedis, err := openOperator(ctx, p, true)
	if err != nil {
		return err
	}
	defer closeRedis()
	all, err := o.Ledger.Access.APIKeys(ctx)
	if err != nil {
		return o.lost(err)
	}
	now := time.Now()
	shown := []store.APIKey{}
	for _, k := range all {
		if c.All || k.Usable(now) {
			shown = append(shown, k)
		}
	}
	if c.JSON {
		return writeJSON(p.stdout, shown)
	}
	if len(shown) == 0 {
		p.sayf("No API keys. Create one with icims-export apikeys new --name TEXT --scope read --all-customers")
		return nil
	}
	width, _ := terminal(p.stdout)
	s := style{p.colours(p.stdout)}
	t := table{out: p.stdout, style: s, width: width}
	rows := [][]cell{header("id", "name", "scopes", "last used", "ends", "good for")}
	for _, k := range shown {
		used := "never"
		if !k.LastUsed.IsZero() {
			used = k.LastUsed.Local().Format("2006-01-02 15h")
		}
		c, name := plain, prose.Printable(k.Name)
		if !k.Usable(now) {
			c = dim
		}
		if k.Name == "" {
			name = "(sealed with another keyset: unusable)"
		}
		rows = append(rows, []cell{{k.ID, c}, {name, c}, {strings.Join(k.Scopes, ","), c}, {used, c}, {keyEnd(k, now, time.DateOnly), c}, {customersOf(k), c}})
	}
	return t.write(rows...)
}

// keyIDOf returns the ID of an API key, also from a whole key.
func keyIDOf(text string) string {
	id, _, _ := strings.Cut(strings.TrimPrefix(text, "ixk_"), "_")
	return id
}

type apikeysRevokeCommand struct {
	ID string `arg:"" help:"The key's id, as apikeys list shows it: the part of the key between ixk_ and the next underscore."`
	actor
}

// Run revokes a key.
func (c *apikeysRevokeCommand) Run(ctx context.Context, p *process) error {
	o, closeRedis, err := openOperator(ctx, p, true)
	if err != nil {
		return err
	}
	defer closeRedis()
	id := keyIDOf(c.ID)
	var key store.APIKey
	err = o.loggedIfPossible(ctx, &store.AuditLogEntry{What: "apikeys revoke", Object: id, Who: c.Who, Why: c.Why}, func() error {
		key, err = o.Ledger.Access.RevokeAPIKey(ctx, id, time.Now())
		switch {
		case errors.Is(err, store.ErrNoAPIKey):
			return usageError("no API key has that id: icims-export apikeys list --all shows the ids")
		case err != nil:
			return o.lost(err)
		}
		return nil
	})
	if err != nil {
		return err
	}
	if c.JSON {
		return writeJSON(p.stdout, key)
	}
	p.sayf("Key %s, %q, is revoked.", key.ID, prose.Printable(key.Name))
	return nil
}
