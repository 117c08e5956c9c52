// Package api is the HTTP API of icims-export, for services that are not
// written in Go, and for the console.
//
// Each area has one file, routes_*.go, whose register function enters its routes
// with register or registerRaw. What all routes share happens before their handlers
// run: the key is checked, its scope, and that it is good for the customer in the
// path; changes are entered in the journal.
package api
