// Package api is the HTTP API of icims-export, for services that are not written in Go, and for the
// console.
//
// Each area has a file, routes_*.go, whose register function adds its routes with register or
// registerRaw. Before a handler runs, the API checks the key, its scope, and that it is valid for
// the customer in the path. Changes are recorded in the audit log.
package api
