package store

import (
	"bytes"
	"encoding/base32"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/prf"
)

// Keyset holds a deployment's secrets: the AEAD keys that seal personal data, and the PRF key for
// keyed hashes. Hashes are looked up by value, so the PRF key never changes, while AEAD keys may
// rotate. A keyset read from a file picks up sealing keys added to the file.
type Keyset struct {
	hashing *keyset.Handle
	prf     *prf.Set
	ring    atomic.Pointer[ring]
	source  *keysetSource // nil: not from a file
}

// ErrSealed means sealed data cannot be opened: the keyset lacks its key, or the data was moved to
// a place it was not sealed for.
var ErrSealed = errors.New("sealed data cannot be opened with this keyset")

// ErrPayloadMissing means the export's data is not in Redis.
var ErrPayloadMissing = errors.New("the candidate's data is missing in Redis")

type keysetFile struct {
	Sealing json.RawMessage `json:"sealing"`
	Hashing json.RawMessage `json:"hashing"`
}

// NewKeyset generates keys: AES-256-GCM for sealing, HMAC-SHA-256 for hashes.
func NewKeyset() (*Keyset, error) {
	sealing, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, fmt.Errorf("make sealing key: %w", err)
	}
	hashing, err := keyset.NewHandle(prf.HMACSHA256PRFKeyTemplate())
	if err != nil {
		return nil, fmt.Errorf("make hashing key: %w", err)
	}
	return newKeyset(sealing, hashing)
}

// ParseKeyset is the inverse of Keyset.Export. Its errors contain no key material.
func ParseKeyset(data []byte) (*Keyset, error) {
	var file keysetFile
	if err := json.Unmarshal(data, &file); err != nil || file.Sealing == nil || file.Hashing == nil {
		return nil, errors.New("not a keyset; create one with: icims-export keys new > keyset.json")
	}
	sealing, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(file.Sealing)))
	if err != nil {
		return nil, errors.New("\"sealing\" is damaged; restore the file from a backup")
	}
	hashing, err := insecurecleartextkeyset.Read(keyset.NewJSONReader(bytes.NewReader(file.Hashing)))
	if err != nil {
		return nil, errors.New("\"hashing\" is damaged; restore the file from a backup")
	}
	return newKeyset(sealing, hashing)
}

func newKeyset(sealing, hashing *keyset.Handle) (*Keyset, error) {
	ring, err := newRing(sealing)
	if err != nil {
		return nil, err
	}
	hasher, err := prf.NewPRFSet(hashing)
	if err != nil {
		return nil, fmt.Errorf("use hashing key: %w", err)
	}
	k := &Keyset{hashing: hashing, prf: hasher}
	k.ring.Store(ring)
	return k, nil
}

// Export returns the keys in plaintext, for the keyset file.
func (k *Keyset) Export() ([]byte, error) {
	sealing, err := exportHandle(k.ring.Load().handle)
	if err != nil {
		return nil, err
	}
	hashing, err := exportHandle(k.hashing)
	if err != nil {
		return nil, err
	}
	return json.MarshalIndent(keysetFile{Sealing: sealing, Hashing: hashing}, "", "  ")
}

func exportHandle(h *keyset.Handle) (json.RawMessage, error) {
	var b bytes.Buffer
	if err := insecurecleartextkeyset.Write(h, keyset.NewJSONWriter(&b)); err != nil {
		return nil, fmt.Errorf("export keyset: %w", err)
	}
	return b.Bytes(), nil
}

// Seal encrypts data for one place. It can only be opened for the same place, so a sealed value
// copied to another key is useless.
func (k *Keyset) Seal(data []byte, place string) ([]byte, error) {
	k.rereadIfDue()
	sealed, err := k.ring.Load().aead.Encrypt(data, []byte(place))
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return sealed, nil
}

// Open decrypts the result of Seal. On failure it returns ErrSealed, or ErrForged if it has the
// key. Without a keyset it always fails.
func (k *Keyset) Open(sealed []byte, place string) ([]byte, error) {
	if k == nil {
		return nil, ErrSealed
	}
	ring := k.ring.Load()
	data, err := ring.aead.Decrypt(sealed, []byte(place))
	if err == nil {
		return data, nil
	}
	id, ok := SealedBy(sealed)
	// Another process may already use a key that was added since the file was read.
	if ok && !ring.holds(id) && k.lookAgain(ring) {
		ring = k.ring.Load()
		if data, err := ring.aead.Decrypt(sealed, []byte(place)); err == nil {
			return data, nil
		}
	}
	if ok && ring.holds(id) {
		return nil, ErrForged
	}
	return nil, ErrSealed
}

var base32Lower = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// hash returns 80 bits of a keyed hash over parts, as 16 characters. Different kinds give different
// hashes.
func (k *Keyset) hash(kind string, parts ...string) string {
	input := kind + "\x00" + strings.Join(parts, "\x00")
	const bytesOf80Bits = 10
	sum, err := k.prf.ComputePrimaryPRF([]byte(input), bytesOf80Bits)
	if err != nil {
		// HMAC in memory only fails for an unsupported output length.
		panic(fmt.Sprintf("store: keyed hash: %v", err))
	}
	return base32Lower.EncodeToString(sum)
}

// EmailHash returns the keyed hash that stands for an address in Redis. Addresses that differ only
// in case have the same hash, since they are the same person.
func (k *Keyset) EmailHash(customer, email string) string {
	return k.hash("email", customer, strings.ToLower(email))
}

// CredentialsHash identifies a customer's user name, password and authentication method.
func (k *Keyset) CredentialsHash(c Connection) string {
	return k.hash("credentials", c.Customer, c.Username, string(c.Password), string(or(c.Auth, AuthBasic)), c.TokenURL)
}

// BatchID derives a batch ID from the producer's idempotency key, so that the same key finds the
// same batch without a look-up.
func (k *Keyset) BatchID(customer, idempotencyKey string) string {
	return customer + "-" + k.hash("batch", customer, idempotencyKey)
}

// apiKeyHashBytes is the length of the hash of an API key's secret.
const apiKeyHashBytes = 32

// apiKeyHash returns the hash stored for an API key's secret. The secret is long and random, so a
// slow hash would add no security.
func (k *Keyset) apiKeyHash(id, secret string) []byte {
	sum, err := k.prf.ComputePrimaryPRF([]byte("apikey\x00"+id+"\x00"+secret), apiKeyHashBytes)
	if err != nil {
		panic(fmt.Sprintf("store: keyed hash: %v", err)) // as in hash
	}
	return sum
}

// RowDigestSize is the length of a RowDigest.
const RowDigestSize = 8

// RowDigest identifies a row of a batch's input. It is a keyed hash: without the key it reveals
// nothing about the row.
func (k *Keyset) RowDigest(batch BatchID, row []byte) []byte {
	sum, err := k.prf.ComputePrimaryPRF(slices.Concat([]byte("row\x00"+batch+"\x00"), row), RowDigestSize)
	if err != nil {
		panic(fmt.Sprintf("store: keyed hash: %v", err)) // as in hash
	}
	return sum
}

// personProof proves that this service recorded a person for an export. Write access to Redis is
// not enough to create one.
func (k *Keyset) personProof(ref Ref, person int64) string {
	return k.hash("person", ref.Customer, ref.Export, idText(person))
}

// ExportID returns the ID of a candidate's export in a batch.
func (k *Keyset) ExportID(batch, candidate string) string {
	return k.hash("export", batch, candidate)
}
