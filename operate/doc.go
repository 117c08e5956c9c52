// Package operate is what people look up and do about exports: how an export stands
// and what happened to it, dead letters, lanes, pauses, cancellation, connections. The
// command line and the HTTP API are thin shells over it.
package operate
