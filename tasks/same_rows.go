package tasks

// digested is what a row is compared by when its batch is sent again: the candidate as it
// was given, before a dummy address is chosen. It stays the same from release to release.
func (c Candidate) digested() []byte { return Payload{Candidate: c}.Encode() }

// digested is what a row that no reader could make a candidate of is compared by: what is
// wrong with it.
func (e *RowError) digested() []byte {
	w := payloadWriter{}
	w.texts("refused", e.Candidate)
	for _, p := range e.Problems {
		w.texts(p.Field, p.Code)
	}
	return w.data
}
