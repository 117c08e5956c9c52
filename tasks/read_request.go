package tasks

import (
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
// Members that are not given are nil.
type Request struct {
	Job       *int64
	Prospects *bool
	Options   RequestOptions
	// Candidates can be read once, and are read as they come. Errors are as those of
	// ReadNDJSON.
	Candidates iter.Seq2[Candidate, error]
}

// RequestOptions are the options of a Request.
type RequestOptions struct {
	GenerateDummyEmails       *bool `json:"generate_dummy_emails"`
	IncludePreviouslyExported *bool `json:"include_previously_exported"`
}

// ReadRequest reads a batch in one JSON object up to its candidates, which must be its
// last member, since nothing of them is kept: memory does not grow with their number. A
// JSON array is taken for the candidates alone.
//
// Errors: *BatchError where the object is not of that form, *CutError where it ends
// before its candidates begin, else one of reading r.
func ReadRequest(r io.Reader) (Request, error) {
	in := newInput(r)
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
			return q, &BatchError{"candidates", "are missing", "give them as the last member: a list of objects"}
		case seen[name]:
			return q, &BatchError{"body", "names a member twice", "give each once"}
		}
		seen[name] = true
		if name == "candidates" {
			first, err := in.nextByte()
			if err != nil {
				return q, in.unfinished(err)
			}
			if first != '[' {
				return q, &BatchError{"candidates", "are no list", "give them as [{ ... }, { ... }]"}
			}
			q.Candidates = in.array(endObject)
			return q, nil
		}
		if err := q.readMember(in, name); err != nil {
			return q, err
		}
	}
}

var errNoObject = &BatchError{"body", "is no JSON object", `write {"job": ..., "options": {...}, "candidates": [...]}, or send candidates line by line as application/x-ndjson`}

func (q *Request) readMember(in *input, name string) error {
	var target any
	remedy := "give true or false"
	switch name {
	case "job":
		target, remedy = &q.Job, "give the system id of the job, a number"
	case "prospects":
		target = &q.Prospects
	case "options":
		target, remedy = &q.Options, "give generate_dummy_emails and include_previously_exported, each true or false"
	default:
		return &BatchError{"body", "has a member that is not known here", "leave it out; there are job, prospects, options and, at the end, candidates. A candidate by itself is sent as application/x-ndjson"}
	}
	text, tooLong, err := in.value()
	if err != nil {
		return in.unfinished(err)
	}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if tooLong || dec.Decode(target) != nil || dec.More() {
		return &BatchError{name, "has a value that does not fit", remedy}
	}
	return nil
}

// nextByte is the next one that is not blank.
func (in *input) nextByte() (byte, error) {
	if err := in.skipBlank(); err != nil {
		return 0, err
	}
	return in.r.ReadByte()
}

// memberName reads up to the colon behind the name of the next member; "" at the end
// of the object.
func (in *input) memberName() (string, error) {
	wrong := &BatchError{"body", "is no valid JSON", "write it as one JSON object, with candidates as its last member"}
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
func (in *input) value() (text []byte, tooLong bool, err error) {
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

// unfinished says that the body ended too early, or what reading failed with.
func (in *input) unfinished(err error) error {
	if errors.Is(err, io.EOF) {
		return &CutError{Line: in.line}
	}
	return in.readFailed(err)
}

// array is the candidates of an array whose bracket has been read. end judges what
// follows it.
func (in *input) array(end func(*input, func(Candidate, error) bool)) iter.Seq2[Candidate, error] {
	return func(yield func(Candidate, error) bool) { readElements(in, yield, end) }
}

// endObject expects the end of the object whose last member the array was.
func endObject(in *input, yield func(Candidate, error) bool) {
	b, err := in.nextByte()
	if err == nil && b == '}' {
		endArray(in, yield)
		return
	}
	switch {
	case err == nil:
		yield(Candidate{}, refusal(in.line, "", Problem{Code: codeTrailingData,
			Message: "there is more after the candidates, which was not read", Remedy: "put candidates last in the object"}))
	case errors.Is(err, io.EOF):
		yield(Candidate{}, cut(in.line, arrayUnfinished()))
	default:
		yield(Candidate{}, in.readFailed(err))
	}
}
