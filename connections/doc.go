// Package connections validates customers' connections, returns their authentication, and keeps
// track of the connections in use: those of the store and those of the connections file.
package connections
