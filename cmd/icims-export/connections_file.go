package main

import (
	"os"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/seekout/icims-export/store"
)

// fileConnections are the usable connections of the connections file. The file is read again after
// it has changed, so each request may ask.
type fileConnections struct {
	path string
	read func() (connections, error)
	log  zerolog.Logger
	now  func() time.Time

	mu   sync.Mutex
	seen fileStamp                   // of the last reading, successful or not
	good map[string]store.Connection // of the last successful reading
}

// fileStamp identifies a version of a file.
type fileStamp struct {
	looked bool // false before the first reading
	size   int64
	edited time.Time
}

// restTime is how long a changed file must be unchanged before it is read again: it may be half
// written.
const restTime = time.Second

// filed returns the connections of the configured file. Errors go to the log.
func (p *process) filed(log zerolog.Logger) *fileConnections {
	hosts, err := hostPolicy(p.settings)
	f := &fileConnections{path: p.settings.Connections, log: log, now: time.Now, read: func() (connections, error) {
		return readConnections(p.settings, hosts, p.lookupEnv)
	}}
	if err != nil {
		f.path = "" // connections cannot be checked without a policy
	}
	return f
}

// usable returns the connections by customer; nil if unknown. Callers must not change the map.
func (f *fileConnections) usable() map[string]store.Connection {
	if f.path == "" {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	at := f.stamp()
	rested := f.now().Sub(at.edited)
	if at == f.seen || f.good != nil && rested >= 0 && rested < restTime {
		return f.good
	}
	f.seen = at
	conns, err := f.read()
	if err != nil {
		f.log.Error().Str("problem", err.Error()).Msg("the connections file is invalid; showing its previous content")
		return f.good
	}
	for _, problem := range conns.problems {
		f.log.Error().Str("problem", problem).Msg("connection of the file left out")
	}
	f.good = make(map[string]store.Connection, len(conns.usable))
	for _, conn := range conns.usable {
		f.good[conn.Customer] = conn
	}
	return f.good
}

// stamp reads the file's stamp. f.mu is held.
func (f *fileConnections) stamp() fileStamp {
	info, err := os.Stat(f.path)
	if err != nil {
		return fileStamp{looked: true}
	}
	return fileStamp{true, info.Size(), info.ModTime()}
}

// again forces a reading of an unchanged file: the file of a password may have changed.
func (f *fileConnections) again() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen = fileStamp{}
}
