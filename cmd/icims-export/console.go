package main

import (
	"github.com/rs/zerolog"

	"github.com/seekout/icims-export/api"
	"github.com/seekout/icims-export/api/console"
)

// mountConsole lets the API's address answer browsers as well.
func mountConsole(server *api.Server, log zerolog.Logger) error {
	version, _ := versions()
	pages, err := console.New(console.Options{API: server, Keys: server.Ledger.Keys(), Version: version, Log: log})
	if err != nil {
		return failed("the console cannot be made: %s", rootCause(err))
	}
	server.Mount(pages)
	return nil
}
