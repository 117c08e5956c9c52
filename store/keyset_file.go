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

// keysetSource is the file that a keyset was read from.
type keysetSource struct {
	path   string
	mu     sync.Mutex
	read   fs.FileInfo  // the file as it was read
	looked atomic.Int64 // when the file was last looked at, ns
}

// ReadKeysetFile reads a keyset that `icims-export keys new` printed. It takes up
// sealing keys that are added to the file later, by itself: within seconds, and at
// once where something was sealed with them.
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
	// Before the content: a file that is replaced in between is read once more.
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

// ErrOtherKeyset: the file holds the keyset of another deployment.
var ErrOtherKeyset = errors.New("its hashing key differs from that of the keyset in use")

// Reread reads the file of the keyset again where it has changed, and reports whether
// it has. With an error the keyset stays as it was. A keyset that was not read from a
// file never changes.
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

// lookEvery is how often the file is looked at for new keys by who seals.
const lookEvery = 5 * time.Second

func (k *Keyset) lookNowAndThen() {
	if s := k.source; s != nil && time.Now().UnixNano()-s.looked.Load() > int64(lookEvery) {
		_, _ = k.Reread() // else the keys in use are as good as before
	}
}

// lookAgain reports whether other keys have taken the place of the given ones.
func (k *Keyset) lookAgain(than *ring) bool {
	_, _ = k.Reread()
	return k.ring.Load() != than
}

// WriteKeysetFile puts a keyset in the place of the file, or makes it: whole or not
// at all, and readable by whom it was before.
func WriteKeysetFile(path string, keys *Keyset) error {
	before, err := os.Stat(path)
	if err != nil {
		before = nil
	}
	// A link is followed: it is the file that is replaced.
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	return placeKeyset(path, keys, before, os.Rename)
}

// CreateKeysetFile makes a keyset's file, readable by this user only: whole or not at
// all. One that is there already stays, and the error is fs.ErrExist.
func CreateKeysetFile(path string, keys *Keyset) error {
	return placeKeyset(path, keys, nil, os.Link) // which replaces nothing
}

// placeKeyset writes a file beside the path, with mode and owner of the one that was
// there, if any, and puts it there.
func placeKeyset(path string, keys *Keyset, before fs.FileInfo, place func(from, to string) error) error {
	data, err := keys.Export()
	if err != nil {
		return err
	}
	next, err := os.CreateTemp(filepath.Dir(path), ".keyset-*")
	if err != nil {
		return fmt.Errorf("write keyset: %w", err)
	}
	defer func() { _ = os.Remove(next.Name()) }() // gone already where it was renamed
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
