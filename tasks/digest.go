package tasks

import "github.com/seekout/icims-export/tasks/input"

// digest returns the bytes by which rows are compared when a batch is submitted again: the
// candidate as given, before a dummy address is chosen. They must not change between releases.
func digest(c input.Candidate) []byte { return Payload{Candidate: c}.Encode() }

// refusedDigest returns the bytes by which an unreadable row is compared: its problems.
func refusedDigest(e *input.RowError) []byte {
	w := payloadWriter{}
	w.texts("refused", e.Candidate)
	for _, p := range e.Problems {
		w.texts(p.Field, p.Code)
	}
	return w.data
}
