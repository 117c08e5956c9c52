package main

import (
	"os"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"github.com/seekout/icims-export/store"
)

// filedConnections are the usable connections of the file of connections, for whoever
// shows them. The file is read where it has changed: each request may ask.
type filedConnections struct {
	path string
	read func() (connections, error)
	log  zerolog.Logger
	now  func() time.Time

	mu   sync.Mutex
	seen fileStamp                   // when it was read last, well or not
	good map[string]store.Connection // of the last reading that gave any
}

// fileStamp tells one state of a file from another.
type fileStamp struct {
	looked bool // else nobody has yet
	size   int64
	edited time.Time
}

// restTime is how long a file that was read before has to be unchanged to be read again:
// until then it may be half written.
const restTime = time.Second

// filed returns those of the settings' file; log is told of what cannot be read.
func (p *process) filed(log zerolog.Logger) *filedConnections {
	hosts, err := hostPolicy(p.settings)
	f := &filedConnections{path: p.settings.Connections, log: log, now: time.Now, read: func() (connections, error) {
		return readConnections(p.settings, hosts, p.lookupEnv)
	}}
	if err != nil {
		f.path = "" // without a policy none can be judged
	}
	return f
}

// usable are the connections by customer; nil where there are none to know. Nobody may
// change them.
func (f *filedConnections) usable() map[string]store.Connection {
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

// stamp looks at the file. f.mu is held.
func (f *filedConnections) stamp() fileStamp {
	info, err := os.Stat(f.path)
	if err != nil {
		return fileStamp{looked: true}
	}
	return fileStamp{true, info.Size(), info.ModTime()}
}

// again makes the file be read again though it has not changed: a password's own file
// may have.
func (f *filedConnections) again() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.seen = fileStamp{}
}
