package store

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"
)

// words are iCIMS's messages about the calls of one timeline entry. They may repeat what was sent,
// so they are stored apart from the timeline and deleted when the export has ended; until then they
// help to decide about a retry. Scripts cannot open either, so one argument carries both: "w", the
// length of the sealed words in eight digits, the words, the entry.
type words struct {
	At    time.Time  `json:"at"` // time of the entry
	Calls [][]string `json:"calls"`
}

// splitWords moves iCIMS's messages out of an entry and leaves codes and fields; nil if there are
// none.
func splitWords(e Entry) (Entry, *words) {
	w := words{At: e.At}
	found := false
	e.Calls = slices.Clone(e.Calls)
	for i := range e.Calls {
		w.Calls = append(w.Calls, e.Calls[i].Problems)
		e.Calls[i].Problems = slices.Clone(e.Calls[i].Problems)
		for j, p := range e.Calls[i].Problems {
			code, said, _ := strings.Cut(p, ": ")
			e.Calls[i].Problems[j] = code
			found = found || said != ""
		}
	}
	if !found {
		return e, nil
	}
	return e, &w
}

// sealWords renders words as the prefix of the entry.
func (l *base) sealWords(ref Ref, w *words) (string, error) {
	data, err := json.Marshal(w)
	if err != nil {
		return "", fmt.Errorf("encode messages of iCIMS: %w", err)
	}
	sealed, err := l.keys.Seal(data, wordsKey(ref.Customer, ref.Export))
	return fmt.Sprintf("w%08d%s", len(sealed), sealed), err
}

// allWords are the words of an export's entries.
type allWords []words

// openWords opens what it can: the timeline is useful without the rest.
func (l *base) openWords(ref Ref, sealed []string) allWords {
	var all allWords
	for _, item := range sealed {
		var w words
		data, err := l.keys.Open([]byte(item), wordsKey(ref.Customer, ref.Export))
		if err == nil && json.Unmarshal(data, &w) == nil {
			all = append(all, w)
		}
	}
	return all
}

// join restores the messages of an entry.
func (all allWords) join(e *Entry) {
	for _, w := range all {
		if !w.At.Equal(e.At) || len(w.Calls) != len(e.Calls) {
			continue
		}
		for i := range e.Calls {
			e.Calls[i].Problems = w.Calls[i]
		}
		return
	}
}
