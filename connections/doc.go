// Package connections says what a customer's connection must be, how its calls are
// authenticated, and which connections are in use: those of the store and those of
// the file of connections.
package connections
