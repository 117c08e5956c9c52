package input

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"iter"
)

// Request is a batch as one JSON object, for example
//
//	{"job": 1709, "options": {"generate_dummy_emails": true}, "candidates": [{...}, ...]}
//
// Missing members are nil.
type Request struct {
	Job       *int64
	Prospects *bool
	Options   RequestOptions
	// Unread is why the members after the candidates are unknown: ErrLongList, or *CutError or a
	// read error if the list ends early. It is nil if they are known.
	Unread error
	// Candidates can be read once, and are read incrementally. Errors are as for ReadNDJSON.
	Candidates iter.Seq2[Candidate, error]
}

// RequestOptions are the options of a Request.
type RequestOptions struct {
	GenerateDummyEmails       *bool `json:"generate_dummy_emails"`
	IncludePreviouslyExported *bool `json:"include_previously_exported"`
}

// ReadAhead is how many bytes of candidates are kept in memory to read the members after them. A
// longer list must be the last member: it is read incrementally, so that memory does not grow with
// it.
const ReadAhead = 4 << 20

// ErrLongList means the candidates exceed ReadAhead. Members after them are refused as a row.
var ErrLongList = errors.New("the candidate list exceeds the read-ahead limit")

// ReadRequest reads a batch from one JSON object. Its members may be in any order if the candidates
// fit in ReadAhead. A JSON array is read as the candidates.
//
// Errors: *BatchError if the object is invalid, *CutError if it ends before its candidates, or an
// error from r.
func ReadRequest(r io.Reader) (Request, error) {
	in := newSource(r)
	var q Request
	if refused := in.begin(); refused != nil {
		p := refused.Problems[0]
		return q, &BatchError{"body", p.Message, p.Remedy}
	}
	first, err := in.nextByte()
	switch {
	case errors.Is(err, io.EOF):
		return q, &BatchError{"body", "is empty", "send the candidates"}
	case err != nil:
		return q, in.unfinished(err)
	case first == '[':
		q.Candidates = in.array(endArray)
		return q, nil
	case first != '{':
		return q, errNoObject
	}
	seen := map[string]bool{}
	for {
		name, err := in.memberName()
		if err != nil {
			return q, err
		}
		switch {
		case name == "":
			return q, &BatchError{"candidates", "are missing", "add them as a list of objects"}
		case seen[name]:
			return q, errNamedTwice
		}
		seen[name] = true
		if name == "candidates" {
			return q, q.readCandidates(in, seen)
		}
		if err := q.readMember(in, name); err != nil {
			return q, err
		}
	}
}

var errNamedTwice = &BatchError{"body", "repeats a field", "send each field once"}

// readCandidates prepares reading the candidates, and reads the members after them if the list is
// short enough.
func (q *Request) readCandidates(in *source, seen map[string]bool) error {
	switch first, err := in.nextByte(); {
	case err != nil:
		return in.unfinished(err)
	case first != '[':
		return &BatchError{"candidates", "must be a list", "write them as [{ ... }, { ... }]"}
	}
	var kept bytes.Buffer
	_, err := io.CopyN(&kept, in.r, ReadAhead)
	var rest io.Reader = in.r
	if err != nil && !errors.Is(err, io.EOF) {
		rest = failing{err}
	}
	list := &source{r: bufio.NewReader(io.MultiReader(bytes.NewReader(kept.Bytes()), rest)), line: in.line}
	q.Candidates = list.array(endLongObject)
	if err == nil {
		q.Unread = ErrLongList
		return nil
	}
	behind := &source{r: bufio.NewReader(io.MultiReader(bytes.NewReader(kept.Bytes()), rest)), line: in.line}
	q.Unread = q.readBehind(behind, seen)
	if wrong, ok := errors.AsType[*BatchError](q.Unread); ok {
		return wrong
	}
	if q.Unread == nil {
		q.Candidates = list.array(endObject)
	}
	return nil
}

// readBehind reads the members after the candidates, whose opening bracket has been read.
func (q *Request) readBehind(in *source, seen map[string]bool) error {
	for {
		switch b, err := in.nextByte(); {
		case err != nil:
			return in.unfinished(err)
		case b == ',':
			continue
		case b != ']':
			if _, _, err := in.readElement(b); err != nil {
				return in.unfinished(err)
			}
			continue
		}
		break
	}
	for {
		name, err := in.memberName()
		switch {
		case err != nil:
			return err
		case name == "":
			return nil
		case seen[name]:
			return errNamedTwice
		}
		seen[name] = true
		if err := q.readMember(in, name); err != nil {
			return err
		}
	}
}

// failing is a reader that fails with the original read error.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

var errNoObject = &BatchError{"body", "is not a JSON object", `write {"job": ..., "options": {...}, "candidates": [...]}, or send candidates line by line as application/x-ndjson`}

func (q *Request) readMember(in *source, name string) error {
	var target any
	remedy := "use true or false"
	switch name {
	case "job":
		target, remedy = &q.Job, "use the job's system ID, a number"
	case "prospects":
		target = &q.Prospects
	case "options":
		target, remedy = &q.Options, "set generate_dummy_emails and include_previously_exported to true or false"
	default:
		return &BatchError{"body", "has an unknown field", "remove it; the fields are job, prospects, options and candidates. Send single candidates as application/x-ndjson"}
	}
	text, tooLong, err := in.value()
	if err != nil {
		return in.unfinished(err)
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if tooLong || dec.Decode(target) != nil || dec.More() {
		return &BatchError{name, "has an invalid value", remedy}
	}
	return nil
}

// nextByte returns the next byte that is not white space.
func (in *source) nextByte() (byte, error) {
	if err := in.skipBlank(); err != nil {
		return 0, err
	}
	return in.r.ReadByte()
}

// memberName reads the name of the next member and its colon; "" at the end of the object.
func (in *source) memberName() (string, error) {
	wrong := &BatchError{"body", "is not valid JSON", "write it as one JSON object"}
	for {
		b, err := in.nextByte()
		switch {
		case err != nil:
			return "", in.unfinished(err)
		case b == ',':
			continue
		case b == '}':
			return "", nil
		case b != '"':
			return "", wrong
		}
		text, _, err := in.readElement(b)
		if err != nil {
			return "", in.unfinished(err)
		}
		var name string
		if json.Unmarshal(text, &name) != nil || name == "" {
			return "", wrong
		}
		if b, err = in.nextByte(); err != nil {
			return "", in.unfinished(err)
		}
		if b != ':' {
			return "", wrong
		}
		return name, nil
	}
}

// value reads the value of a member.
func (in *source) value() (text []byte, tooLong bool, err error) {
	b, err := in.nextByte()
	if err != nil {
		return nil, false, err
	}
	if b == '{' || b == '[' || b == '"' {
		return in.readElement(b)
	}
	const longest = 64 // a number, true, false or null
	for in.buf = in.buf[:0]; ; {
		in.buf = append(in.buf, b)
		if len(in.buf) > longest {
			return nil, true, nil
		}
		if b, err = in.r.ReadByte(); err != nil {
			return nil, false, err
		}
		if isBlank(b) || b == ',' || b == '}' {
			return in.buf, false, in.r.UnreadByte()
		}
	}
}

// unfinished returns an error for a body that ended early, or the read error.
func (in *source) unfinished(err error) error {
	if errors.Is(err, io.EOF) {
		return &CutError{Line: in.line}
	}
	return in.readFailed(err)
}

// array returns the candidates of an array whose opening bracket has been read. end checks what
// follows it.
func (in *source) array(end func(*source, func(Candidate, error) bool)) iter.Seq2[Candidate, error] {
	return func(yield func(Candidate, error) bool) { readElements(in, yield, end) }
}

// endObject skips the members after the candidates, which have already been read.
func endObject(in *source, yield func(Candidate, error) bool) {
	for {
		name, err := in.memberName()
		if err == nil && name != "" {
			_, _, err = in.value()
		}
		switch {
		case err != nil:
			yield(Candidate{}, in.readFailed(err))
			return
		case name == "":
			endArray(in, yield)
			return
		}
	}
}

// endLongObject expects the end of the object after its candidates, which must be the last member.
func endLongObject(in *source, yield func(Candidate, error) bool) {
	b, err := in.nextByte()
	if err == nil && b == '}' {
		endArray(in, yield)
		return
	}
	switch {
	case err == nil:
		yield(Candidate{}, refusal(in.line, "", Problem{Code: codeTrailingData,
			Message: "content after the candidates was not read", Remedy: "put candidates last if the body exceeds 4 MiB"}))
	case errors.Is(err, io.EOF):
		yield(Candidate{}, cut(in.line, arrayUnfinished()))
	default:
		yield(Candidate{}, in.readFailed(err))
	}
}
