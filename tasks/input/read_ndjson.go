package input

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"iter"
)

// ReadNDJSON reads candidates from newline-delimited JSON, one object per line, or from one JSON
// array of objects. It reads one row at a time, in constant memory.
//
// A *RowError refuses one row and reading continues. Any other error comes from r and is the last
// value.
func ReadNDJSON(r io.Reader) iter.Seq2[Candidate, error] {
	return func(yield func(Candidate, error) bool) {
		readNDJSON(newSource(r), yield)
	}
}

func readNDJSON(in *source, yield func(Candidate, error) bool) {
	if refused := in.begin(); refused != nil {
		yield(Candidate{}, refused)
		return
	}
	var err error
	if err = in.skipBlank(); err == nil {
		var head []byte
		if head, err = in.r.Peek(1); err == nil && head[0] == '[' {
			readArray(in, yield)
			return
		}
	}
	for err == nil {
		var (
			text    []byte
			line    int
			tooLong bool
		)
		if text, line, tooLong, err = in.readLine(); err != nil {
			break
		}
		if !tooLong {
			text = bytes.TrimSpace(text)
			if len(text) == 0 {
				continue
			}
		}
		if !yieldLine(in, text, line, tooLong, yield) {
			return
		}
	}
	if err = in.readFailed(err); err != nil {
		yield(Candidate{}, err)
	}
}

// yieldLine is yieldJSON for a line. A last line without a line end may be complete, as some
// editors write it, or cut off.
func yieldLine(in *source, text []byte, line int, tooLong bool, yield func(Candidate, error) bool) bool {
	if in.open && !tooLong && len(text) <= maxRow && endsEarly(text) {
		return yield(Candidate{}, cut(line, Problem{Code: codeNotJSON, Message: "the input ends in the middle of the row", Remedy: "check that the input is complete"}))
	}
	return yieldJSON(text, line, tooLong, yield)
}

// endsEarly reports whether text is a valid prefix of JSON, but incomplete.
func endsEarly(text []byte) bool {
	var whole json.RawMessage
	return errors.Is(json.NewDecoder(bytes.NewReader(text)).Decode(&whole), io.ErrUnexpectedEOF)
}

func yieldJSON(text []byte, line int, tooLong bool, yield func(Candidate, error) bool) bool {
	if tooLong || len(text) > maxRow {
		return yield(Candidate{}, refusal(line, "", rowTooLong()))
	}
	c, problems := decodeCandidate(text)
	if len(problems) > 0 {
		return yield(Candidate{}, refusal(line, c.ID, problems...))
	}
	c.origin.line = line
	return yield(c, nil)
}

func readArray(in *source, yield func(Candidate, error) bool) {
	_, _ = in.r.Discard(1) // the bracket, just peeked
	readElements(in, yield, endArray)
}

// readElements reads the elements of a JSON array after its opening bracket. It tolerates missing
// commas, since only the extent of each element matters.
func readElements(in *source, yield func(Candidate, error) bool, end func(*source, func(Candidate, error) bool)) {
	var err error
	for err == nil {
		if err = in.skipBlank(); err != nil {
			break
		}
		var b byte
		if b, err = in.r.ReadByte(); err != nil {
			break
		}
		switch b {
		case ',':
		case ']':
			end(in, yield)
			return
		default:
			line := in.line
			var (
				text    []byte
				tooLong bool
			)
			if text, tooLong, err = in.readElement(b); err != nil {
				break
			}
			if !yieldJSON(text, line, tooLong, yield) {
				return
			}
		}
	}
	if errors.Is(err, io.EOF) {
		yield(Candidate{}, cut(in.line, arrayUnfinished()))
		return
	}
	yield(Candidate{}, in.readFailed(err))
}

func arrayUnfinished() Problem {
	return Problem{Code: codeArrayUnfinished, Message: "the input ends before the JSON array does",
		Remedy: "check that the file is complete; the rest after the last complete candidate was not read"}
}

func endArray(in *source, yield func(Candidate, error) bool) {
	err := in.skipBlank()
	if err == nil {
		yield(Candidate{}, refusal(in.line, "", Problem{Code: codeTrailingData,
			Message: "content after the JSON array was not read", Remedy: "put all candidates in one array, or write one object per line"}))
		return
	}
	if err = in.readFailed(err); err != nil {
		yield(Candidate{}, err)
	}
}

// readElement reads the array element that begins with first, up to its closing bracket or, for a
// scalar, up to the next delimiter. It only determines the extent.
func (in *source) readElement(first byte) (text []byte, tooLong bool, err error) {
	in.buf = in.buf[:0]
	depth, inString, escaped := 0, false, false
	for b := first; ; {
		if len(in.buf) >= maxRow {
			tooLong = true
		} else {
			in.buf = append(in.buf, b)
		}
		switch {
		case b == '\n':
			in.line++
			escaped = false
		case escaped:
			escaped = false
		case inString:
			escaped = b == '\\'
			inString = b != '"'
		case b == '"':
			inString = true
		case b == '{' || b == '[':
			depth++
		case b == '}' || b == ']':
			depth--
		}
		if depth <= 0 && !inString && (b == '}' || b == ']' || b == '"') {
			return in.buf, tooLong, nil
		}
		if b, err = in.r.ReadByte(); err != nil {
			return nil, false, err
		}
		if depth == 0 && !inString && (isBlank(b) || b == ',' || b == ']') {
			return in.buf, tooLong, in.r.UnreadByte()
		}
	}
}
