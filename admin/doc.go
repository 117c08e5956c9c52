// Package admin is the admin service: it looks up exports and their timelines, and manages dead
// letters, lanes, pauses, cancellations and connections. The command line and the HTTP API are thin
// layers over it.
package admin
