package main

import (
	"bytes"
	"os"
	"strings"
	"sync"
)

// watch is a writer that calls a function once a text was written.
type watch struct {
	text string
	then func()

	mu     sync.Mutex
	buffer bytes.Buffer
	done   bool
}

func (w *watch) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n, err := w.buffer.Write(p)
	if !w.done && strings.Contains(w.buffer.String(), w.text) {
		w.done = true
		w.then()
	}
	return n, err
}

func (w *watch) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buffer.String()
}

func lookup(name string) (string, bool) { return os.LookupEnv(name) }
