// Package api is the HTTP API of icims-export, for services that are not
// written in Go, and for the console.
package api

import _ "github.com/danielgtaylor/huma/v2" // the routes are built on it
