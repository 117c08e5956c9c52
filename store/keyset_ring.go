package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// KeyID identifies a sealing key. It is not secret: each sealed value begins with it, in plaintext.
type KeyID uint32

// ring holds the sealing keys. The primary seals; all of them open.
type ring struct {
	handle  *keyset.Handle
	aead    tink.AEAD
	primary KeyID
	ids     []KeyID // in the order they were added
}

func newRing(handle *keyset.Handle) (*ring, error) {
	sealer, err := aead.New(handle)
	if err != nil {
		return nil, fmt.Errorf("use sealing key: %w", err)
	}
	info := handle.KeysetInfo()
	r := &ring{handle: handle, aead: sealer, primary: KeyID(info.GetPrimaryKeyId())}
	for _, key := range info.GetKeyInfo() {
		r.ids = append(r.ids, KeyID(key.GetKeyId()))
	}
	return r, nil
}

func (r *ring) holds(id KeyID) bool { return slices.Contains(r.ids, id) }

// SealedBy returns the key that sealed a value; false if the value is not sealed.
func SealedBy(sealed []byte) (KeyID, bool) {
	const version, header = 1, 5
	if len(sealed) < header || sealed[0] != version {
		return 0, false
	}
	return KeyID(binary.BigEndian.Uint32(sealed[1:header])), true
}

// Primary returns the key that seals.
func (k *Keyset) Primary() KeyID { return k.ring.Load().primary }

// KeyIDs lists the sealing keys, oldest first.
func (k *Keyset) KeyIDs() []KeyID { return slices.Clone(k.ring.Load().ids) }

// ErrNoKey means the keyset has no such sealing key.
var ErrNoKey = errors.New("the keyset has no such key")

// ErrPrimaryKey means the key cannot be dropped because it is the primary.
var ErrPrimaryKey = errors.New("the key is in use for sealing")

// WithNewKey returns the keyset with one more sealing key. The new key becomes the primary; with
// standby it only opens until it is promoted. The hashing key stays the same.
func (k *Keyset) WithNewKey(standby bool) (*Keyset, KeyID, error) {
	var added KeyID
	next, err := k.changed(func(m *keyset.Manager) error {
		id, err := m.Add(aead.AES256GCMKeyTemplate())
		if err != nil || standby {
			added = KeyID(id)
			return err
		}
		added = KeyID(id)
		return m.SetPrimary(id)
	})
	return next, added, err
}

// WithPrimary returns the keyset with another of its keys as the primary. It returns ErrNoKey if it
// lacks that key.
func (k *Keyset) WithPrimary(id KeyID) (*Keyset, error) {
	if !k.ring.Load().holds(id) {
		return nil, ErrNoKey
	}
	return k.changed(func(m *keyset.Manager) error { return m.SetPrimary(uint32(id)) })
}

// Without returns the keyset without one of its keys. Values sealed with that key can no longer be
// opened. Errors: ErrNoKey, ErrPrimaryKey.
func (k *Keyset) Without(id KeyID) (*Keyset, error) {
	switch r := k.ring.Load(); {
	case !r.holds(id):
		return nil, ErrNoKey
	case r.primary == id:
		return nil, ErrPrimaryKey
	}
	return k.changed(func(m *keyset.Manager) error { return m.Delete(uint32(id)) })
}

func (k *Keyset) changed(change func(*keyset.Manager) error) (*Keyset, error) {
	m := keyset.NewManagerFromHandle(k.ring.Load().handle)
	if err := change(m); err != nil {
		return nil, fmt.Errorf("change the sealing keys: %w", err)
	}
	handle, err := m.Handle()
	if err != nil {
		return nil, fmt.Errorf("change the sealing keys: %w", err)
	}
	return newKeyset(handle, k.hashing)
}

// idBytes returns the IDs of the sealing keys as found in sealed values: 4 bytes each.
func (k *Keyset) idBytes() []byte {
	var all []byte
	for _, id := range k.ring.Load().ids {
		all = binary.BigEndian.AppendUint32(all, uint32(id))
	}
	return all
}
