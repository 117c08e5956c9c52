package icimstest

import (
	"net/http"
)

func (s *Simulator) serveManagement(w http.ResponseWriter, r *http.Request) {
	http.NotFound(w, r)
}
