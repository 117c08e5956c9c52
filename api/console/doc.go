// Package console is what a person sees of the service in a browser: server-rendered
// pages, which work without JavaScript and get livelier with htmx.
//
// The pages are a client of the HTTP API in the same process: what a page shows or
// changes goes through the API with the key that its reader logged in with, so that
// scopes, bound customers, limits, the journal and the words of problems are the API's.
// Nothing here touches Redis.
//
// A page is one file of Go and one template of the same name.
package console
