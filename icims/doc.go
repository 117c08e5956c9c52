// Package icims is a client of the iCIMS Talent Platform REST API. It covers what an export of
// candidates needs: people, recruiting workflows, jobs, portals, search and schema. It does not
// depend on a queue: its errors say what to do next.
//
// # Sections
//
// "API sheet §n" in comments names a section of the project's summary of the iCIMS API. Much of the
// API is not publicly documented, so decoding is tolerant: IDs may be numbers or strings, errors
// may be in headers or bodies, unknown fields are ignored and missing ones are empty.
//
// # The chain
//
// Every call passes these layers, outermost first:
//
//	middleware, in the order given (permit, breaker, log, trace)
//	deadline   one call timeout over everything below
//	auth       Basic, HMAC or OAuth
//	wire       HTTP/1.1, the response read completely, up to a limit
//
// Auth is innermost, so an HMAC date is not stale after a wait for a permit, and no middleware sees
// a credential. The deadline is below the middleware, so a wait for a permit does not shorten the
// time iCIMS has to respond. No layer repeats a call silently: redirects are not followed and
// net/http's own replay of reads is switched off. The only repetition, a new OAuth token after a
// 401, passes the middleware again.
//
// # Hosts
//
// The wire sends only to hosts that a [HostPolicy] allows, at addresses that are public or allowed
// by it. This applies to the API and to token endpoints. The dialed address is the one that was
// checked. Only the proxy named by the policy is used.
//
// # Errors
//
// Every method returns an *[Error] when it fails. Its [Class] says what to do: retry, wait, stop,
// find out whether a write took effect, or fix credentials or rights. The text of an Error names
// the operation, status, codes, field names and iCIMS's transaction ID. It never contains a body, a
// value, a credential or a query string.
package icims
