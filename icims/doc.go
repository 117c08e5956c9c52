// Package icims is a client of the iCIMS Talent Platform REST API, as far as an
// export of candidates needs it: people, recruiting workflows, jobs, portals,
// search and schema. It knows nothing of queues; what it gives a queue is an
// error that says what to do next.
//
// # Sections
//
// "API sheet §n" in these comments names the section of the project's summary
// of the iCIMS API a call or rule rests on. Much of iCIMS is not documented in
// public, so whatever is read is read tolerantly: ids as numbers or strings,
// errors in headers or bodies, unknown fields ignored, missing ones empty.
//
// # The chain
//
// Every call takes one way, from the outermost layer to the innermost:
//
//	middleware, in the order given (permit, breaker, log, trace)
//	deadline   one call timeout over everything below
//	auth       Basic, HMAC or OAuth
//	wire       HTTP/1.1, the answer read completely and through a limit
//
// Auth is innermost so that the date of an HMAC signature is not stale after a
// wait for a permit, and so that no middleware ever sees a credential. The
// deadline is below the middleware, so that waiting for a permit does not eat
// into the time iCIMS has to answer. No layer repeats a call silently: a
// redirect is never followed, net/http's own replay of reads is switched off,
// and the one repetition there is (a new OAuth token after a 401) passes the
// middleware again. What the middleware counts is what iCIMS counts.
//
// # Where calls go
//
// The wire sends to hosts that a [HostPolicy] allows, and opens connections to
// addresses that are public or allowed by it, both for the API and for tokens.
// The address that is judged is the one that is dialled. No proxy is used but
// one that the policy names.
//
// # Errors
//
// Every method returns *[Error] when it fails. Its [Class] is the verdict:
// repeat, come back later, give up, find out what happened, or ask a human for
// credentials or rights. The text of an Error names the operation, the status,
// codes, field names and iCIMS's transaction id; it never holds a body, a
// value, a credential or a query string.
package icims
