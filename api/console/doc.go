// Package console is the web console: server-rendered pages that work without JavaScript and are
// enhanced with htmx.
//
// The pages are a client of the HTTP API in the same process. They read and change everything
// through the API with the key of the session, so the API's scopes, customers, limits, audit log and
// error texts apply. The console does not use Redis.
//
// A page is a Go file and a template of the same name.
package console
