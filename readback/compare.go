package readback

import (
	"encoding/json"

	"github.com/seekout/icims-export/store"
)

// Fate is what became of a field that was sent.
type Fate string

// The fates.
const (
	Arrived Fate = "arrived"
	// Changed: iCIMS has another value, or not all entries of a collection.
	Changed Fate = "changed"
	// Missing: iCIMS shows no value. It is empty, or hidden from the account.
	Missing Fate = "missing"
)

// hashing is a keyed hash of a field's value.
type hashing func(f Field, value string) string

// single is a digest of the value of a field that recruiters change; "" of others.
func single(f Field, conn store.Connection, shown json.RawMessage, hash hashing) string {
	if all := valuesOf(f, conn, decoded(shown)); f.moves() && len(all) == 1 && len(all[0].forms) > 0 {
		return hash(f, all[0].forms[0])
	}
	return ""
}

// compare tells what became of a field, by what iCIMS shows of it.
func compare(f Field, conn store.Connection, sent []string, shown json.RawMessage, hash hashing) Fate {
	there := map[string]bool{}
	for _, v := range valuesOf(f, conn, decoded(shown)) {
		for _, form := range v.forms {
			there[hash(f, form)] = true
		}
	}
	if len(there) == 0 {
		return Missing
	}
	for _, digest := range sent {
		if !there[digest] {
			return Changed
		}
	}
	return Arrived
}

// names are the fields of a person or a workflow to be read, by their names in iCIMS.
func (d Digests) names(conn store.Connection, ofWorkflow bool) []string {
	var names []string
	for _, f := range Fields() {
		if len(d[f]) > 0 && f.ofWorkflow() == ofWorkflow && f.name(conn) != "" {
			names = append(names, f.name(conn))
		}
	}
	return names
}
