package api

import (
	"context"
	"slices"
	"time"

	"github.com/seekout/icims-export/store"
)

// Scope is a right of an API key.
type Scope string

// The scopes. Each includes what its comment says, and nothing else.
const (
	ScopeRead    Scope = "read"
	ScopeExport  Scope = "export"  // and read
	ScopeOperate Scope = "operate" // and read
	ScopeAdmin   Scope = "admin"   // and all others
	// scopeAny is that of routes which any key may use; scopeNone of those without one.
	scopeAny  Scope = "any"
	scopeNone Scope = ""
)

// Scopes lists the scopes that a key may have.
func Scopes() []Scope { return []Scope{ScopeRead, ScopeExport, ScopeOperate, ScopeAdmin} }

func (s Scope) includes(other Scope) bool {
	return s == other || s == ScopeAdmin || other == ScopeRead && s != "" || other == scopeAny
}

// Principal is who makes a request: an API key.
type Principal struct {
	Key     string // its id
	Name    string
	Scopes  []Scope
	Expires time.Time // zero: never

	// Customers are those that the key is good for; nil for all.
	Customers []string
}

// May reports whether the key is good for the customer.
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

// principalOf is who makes the request. Without a key it may do nothing.
func principalOf(ctx context.Context) Principal { return requestOf(ctx).principal }
