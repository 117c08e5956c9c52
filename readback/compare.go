package readback

import (
	"encoding/json"

	"github.com/seekout/icims-export/store"
)

// FieldResult is the result of comparing a field.
type FieldResult string

// The results of comparing a field.
const (
	Arrived FieldResult = "arrived"
	// Changed: iCIMS has another value, or lacks entries of a collection.
	Changed FieldResult = "changed"
	// Missing: iCIMS returns no value. It is empty, or hidden from the account.
	Missing FieldResult = "missing"
)

// hashing returns a keyed hash of a field's value.
type hashing func(f Field, value string) string

// single returns a digest of the value of a field that recruiters change, or "" for other fields.
func single(f Field, conn store.Connection, shown json.RawMessage, hash hashing) string {
	if all := valuesOf(f, conn, decoded(shown)); f.moves() && len(all) == 1 && len(all[0].forms) > 0 {
		return hash(f, all[0].forms[0])
	}
	return ""
}

// compare returns the fate of a field, from the value iCIMS returned.
func compare(f Field, conn store.Connection, sent []string, shown json.RawMessage, hash hashing) FieldResult {
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

// names returns the iCIMS names of the fields to read of a person or a workflow.
func (d Digests) names(conn store.Connection, ofWorkflow bool) []string {
	var names []string
	for _, f := range Fields() {
		if len(d[f]) > 0 && f.ofWorkflow() == ofWorkflow && f.name(conn) != "" {
			names = append(names, f.name(conn))
		}
	}
	return names
}
