package api

import (
	"context"
	"slices"
	"time"

	"github.com/seekout/icims-export/store"
)

// Scope is a permission of an API key.
type Scope string

// The scopes. Each includes the scopes named in its comment, and no others.
const (
	ScopeRead    Scope = "read"
	ScopeExport  Scope = "export"  // and read
	ScopeOperate Scope = "operate" // and read
	ScopeAdmin   Scope = "admin"   // and all others
	// scopeAny allows any key; scopeNone allows requests without a key.
	scopeAny  Scope = "any"
	scopeNone Scope = ""
)

// Scopes returns the scopes that a key can have.
func Scopes() []Scope { return []Scope{ScopeRead, ScopeExport, ScopeOperate, ScopeAdmin} }

func (s Scope) includes(other Scope) bool {
	return s == other || s == ScopeAdmin || other == ScopeRead && s != "" || other == scopeAny
}

// Principal is the caller of a request: an API key.
type Principal struct {
	Key     string // its ID
	Name    string
	Scopes  []Scope
	Expires time.Time // zero for never

	// Customers are the customers that the key is valid for; nil for all.
	Customers []string
}

// May reports whether the key is valid for the customer.
func (p Principal) May(customer string) bool {
	return p.Key != "" && (p.Customers == nil || slices.Contains(p.Customers, customer))
}

// Has reports whether one of the key's scopes includes the given one.
func (p Principal) Has(scope Scope) bool {
	return slices.ContainsFunc(p.Scopes, func(s Scope) bool { return s.includes(scope) })
}

func principalOfKey(k store.APIKey) Principal {
	p := Principal{Key: k.ID, Name: k.Name, Expires: k.Expires, Customers: k.Customers}
	for _, s := range k.Scopes {
		p.Scopes = append(p.Scopes, Scope(s))
	}
	return p
}

// principalOf returns the caller. Without a key it has no permissions.
func principalOf(ctx context.Context) Principal { return requestOf(ctx).principal }
