package tasks

import (
	"encoding/binary"
	"errors"

	"github.com/seekout/icims-export/tasks/input"
)

// Payload is the sealed data of a candidate, kept in the ledger until the export ends.
type Payload struct {
	Candidate input.Candidate
	// Dummy means the email address is a dummy.
	Dummy bool
}

// A payload is a sequence of values, each with its length: two thirds of the size of JSON, and
// several times as fast to read. Redis holds one per queued export.
const (
	// payloadVersion is the first byte of a payload. Increase it if values or their order change,
	// since queued exports outlive an update.
	payloadVersion      = 1
	payloadVersionDummy = payloadVersion | 0x80
)

// errPayload contains none of the data.
var errPayload = errors.New("payload is not readable as a candidate")

// Encode encodes the payload for the ledger.
func (p Payload) Encode() []byte {
	c := p.Candidate
	w := payloadWriter{make([]byte, 0, 1024)}
	if p.Dummy {
		w.data = append(w.data, payloadVersionDummy)
	} else {
		w.data = append(w.data, payloadVersion)
	}
	w.texts(c.ID, c.FirstName, c.LastName, c.Email, c.LinkedInURL)
	w.count(len(c.Phones))
	for _, p := range c.Phones {
		w.texts(p.Number, p.Type)
	}
	w.count(len(c.WorkExperience))
	for _, e := range c.WorkExperience {
		w.texts(e.Employer, e.Title, e.Start, e.End)
	}
	w.count(len(c.Education))
	for _, e := range c.Education {
		w.texts(e.School, e.Degree)
	}
	return w.data
}

// DecodePayload is the inverse of Encode. Its error contains none of the data.
func DecodePayload(data []byte) (Payload, error) {
	if len(data) == 0 || data[0] != payloadVersion && data[0] != payloadVersionDummy {
		return Payload{}, errPayload
	}
	p := Payload{Dummy: data[0] == payloadVersionDummy}
	c, r := &p.Candidate, &payloadReader{rest: string(data[1:])}
	r.texts(&c.ID, &c.FirstName, &c.LastName, &c.Email, &c.LinkedInURL)
	c.Phones = make([]input.Phone, r.count())
	for i := range c.Phones {
		r.texts(&c.Phones[i].Number, &c.Phones[i].Type)
	}
	c.WorkExperience = make([]input.WorkExperience, r.count())
	for i := range c.WorkExperience {
		e := &c.WorkExperience[i]
		r.texts(&e.Employer, &e.Title, &e.Start, &e.End)
	}
	c.Education = make([]input.Education, r.count())
	for i := range c.Education {
		r.texts(&c.Education[i].School, &c.Education[i].Degree)
	}
	if r.broken || r.rest != "" {
		return Payload{}, errPayload
	}
	return p, nil
}

type payloadWriter struct{ data []byte }

func (w *payloadWriter) count(n int) { w.data = binary.AppendUvarint(w.data, uint64(n)) }

func (w *payloadWriter) texts(values ...string) {
	for _, v := range values {
		w.count(len(v))
		w.data = append(w.data, v...)
	}
}

// payloadReader reads values until it finds the data broken; after that all values are empty. All
// values share one string.
type payloadReader struct {
	rest   string
	broken bool
}

// count reads a number of bytes or entries. It cannot exceed the number of bytes left.
func (r *payloadReader) count() int {
	n, shift := uint64(0), 0
	for i := range min(len(r.rest), binary.MaxVarintLen32) {
		b := r.rest[i]
		n |= uint64(b&0x7f) << shift
		if shift += 7; b < 0x80 {
			if r.rest = r.rest[i+1:]; n <= uint64(len(r.rest)) {
				return int(n)
			}
			break
		}
	}
	r.rest, r.broken = "", true
	return 0
}

func (r *payloadReader) texts(values ...*string) {
	for _, v := range values {
		n := r.count()
		*v, r.rest = r.rest[:n], r.rest[n:]
	}
}
