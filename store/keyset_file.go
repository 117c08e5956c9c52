package store

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// keysetSource is the file a keyset was read from.
type keysetSource struct {
	path   string
	mu     sync.Mutex
	read   fs.FileInfo  // the file when last read
	looked atomic.Int64 // when the file was last checked, ns
}

// ReadKeysetFile reads a keyset printed by `icims-export keys new`. The keyset picks up sealing
// keys added to the file later: within seconds, or at once if something was sealed with them.
func ReadKeysetFile(path string) (*Keyset, error) {
	keys, info, err := readKeysetFile(path)
	if err != nil {
		return nil, err
	}
	keys.source = &keysetSource{path: path, read: info}
	keys.source.looked.Store(time.Now().UnixNano())
	return keys, nil
}

func readKeysetFile(path string) (*Keyset, fs.FileInfo, error) {
	// Stat before reading: a file replaced in between is then read again.
	info, err := os.Stat(path)
	if err != nil {
		return nil, nil, fmt.Errorf("read keyset: %w", err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, fmt.Errorf("read keyset: %w", err)
	}
	keys, err := ParseKeyset(data)
	if err != nil {
		return nil, nil, fmt.Errorf("keyset %s: %w", path, err)
	}
	return keys, info, nil
}

// ErrOtherKeyset means the file holds the keyset of another deployment.
var ErrOtherKeyset = errors.New("its hashing key differs from that of the keyset in use")

// Reread reads the keyset's file again if it has changed, and reports whether it has. With an error
// the keyset stays as it was. A keyset that was not read from a file never changes.
func (k *Keyset) Reread() (bool, error) {
	s := k.source
	if s == nil {
		return false, nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.looked.Store(time.Now().UnixNano())
	info, err := os.Stat(s.path)
	if err != nil {
		return false, fmt.Errorf("read keyset: %w", err)
	}
	if os.SameFile(info, s.read) && info.ModTime().Equal(s.read.ModTime()) && info.Size() == s.read.Size() {
		return false, nil
	}
	next, info, err := readKeysetFile(s.path)
	if err != nil {
		return false, err
	}
	if next.hash("check") != k.hash("check") {
		return false, fmt.Errorf("keyset %s: %w", s.path, ErrOtherKeyset)
	}
	s.read = info
	k.ring.Store(next.ring.Load())
	return true, nil
}

// rereadEvery is how often sealing checks the file for new keys.
const rereadEvery = 5 * time.Second

func (k *Keyset) rereadIfDue() {
	if s := k.source; s != nil && time.Now().UnixNano()-s.looked.Load() > int64(rereadEvery) {
		_, _ = k.Reread() // on error, keep using the current keys
	}
}

// lookAgain reports whether the keyset has other keys than the given ones now.
func (k *Keyset) lookAgain(than *ring) bool {
	_, _ = k.Reread()
	return k.ring.Load() != than
}

// WriteKeysetFile creates or replaces a keyset file atomically. It keeps the mode and owner of an
// existing file.
func WriteKeysetFile(path string, keys *Keyset) error {
	before, err := os.Stat(path)
	if err != nil {
		before = nil
	}
	// Follow a symbolic link: replace its target.
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	return placeKeyset(path, keys, before, os.Rename)
}

// CreateKeysetFile creates a keyset file atomically, readable by this user only. If the file
// exists, it is not changed and the error is fs.ErrExist.
func CreateKeysetFile(path string, keys *Keyset) error {
	return placeKeyset(path, keys, nil, os.Link) // os.Link does not replace a file
}

// placeKeyset writes a file next to path, with the mode and owner of the previous one, if any, and
// calls place to move it to path.
func placeKeyset(path string, keys *Keyset, before fs.FileInfo, place func(from, to string) error) error {
	data, err := keys.Export()
	if err != nil {
		return err
	}
	next, err := os.CreateTemp(filepath.Dir(path), ".keyset-*")
	if err != nil {
		return fmt.Errorf("write keyset: %w", err)
	}
	defer func() { _ = os.Remove(next.Name()) }() // fails if it was renamed
	mode := fs.FileMode(0o600)
	if before != nil {
		mode = before.Mode().Perm()
		keepOwner(next, before)
	}
	_, err = next.Write(append(data, '\n'))
	err = errors.Join(err, next.Chmod(mode), next.Sync(), next.Close())
	if err == nil {
		err = place(next.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write keyset: %w", err)
	}
	return nil
}
