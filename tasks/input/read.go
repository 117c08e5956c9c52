package input

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"iter"
	"path/filepath"
	"strings"
)

// maxRow limits one row of input in bytes, and so the memory of a reader. The largest candidate
// that Validate accepts is smaller.
const maxRow = 1 << 20

// Read reads candidates from r, as CSV or JSON depending on the suffix of name (.csv, .tsv,
// .ndjson, .jsonl, .json), or else on the first character of the input.
//
// A *RowError refuses one row and reading continues. Any other error comes from r and is the last
// value.
func Read(r io.Reader, name string) iter.Seq2[Candidate, error] {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".csv", ".tsv":
		return ReadCSV(r)
	case ".ndjson", ".jsonl", ".json":
		return ReadNDJSON(r)
	}
	return func(yield func(Candidate, error) bool) {
		in := newSource(r)
		read := readCSV
		if b, err := in.peekNonBlank(); err == nil && (b == '{' || b == '[') {
			read = readNDJSON
		}
		read(in, yield)
	}
}

// source is the byte stream of a file, with the current line.
type source struct {
	r *bufio.Reader
	// line is the number of the line of the next byte.
	line int
	buf  []byte
	// open means the last line of the input has no line end.
	open bool
}

func newSource(r io.Reader) *source {
	return &source{r: bufio.NewReaderSize(r, 64<<10), line: 1}
}

var byteOrderMark = []byte("\xef\xbb\xbf")

// begin skips a byte order mark and refuses input that is not text.
func (in *source) begin() *RowError {
	head, _ := in.r.Peek(4) // the next read returns the error again
	if bytes.HasPrefix(head, byteOrderMark) {
		_, _ = in.r.Discard(len(byteOrderMark)) // cannot fail: just peeked
		return nil
	}
	switch {
	case bytes.HasPrefix(head, []byte("\xff\xfe")), bytes.HasPrefix(head, []byte("\xfe\xff")):
		return refusal(1, "", Problem{Code: codeNotUTF8, Message: "the file is encoded as UTF-16", Remedy: `save it as UTF-8 (in Excel "CSV UTF-8")`})
	case bytes.HasPrefix(head, []byte("PK\x03\x04")), bytes.HasPrefix(head, []byte("\x1f\x8b")):
		return refusal(1, "", Problem{Code: codeNotText, Message: "the file is a workbook or an archive, not text", Remedy: "export it as CSV UTF-8, or unpack it first"})
	}
	return nil
}

// peekNonBlank returns the first byte that is neither white space nor part of a byte order mark,
// without consuming anything. It is limited to the buffer.
func (in *source) peekNonBlank() (byte, error) {
	for n := 1; ; n++ {
		head, err := in.r.Peek(n)
		if err != nil {
			return 0, err
		}
		b := head[n-1]
		if !isBlank(b) && (n > len(byteOrderMark) || !bytes.HasPrefix(byteOrderMark, head)) {
			return b, nil
		}
	}
}

func isBlank(b byte) bool { return b == ' ' || b == '\t' || b == '\r' || b == '\n' }

// skipBlank consumes white space.
func (in *source) skipBlank() error {
	for {
		b, err := in.r.ReadByte()
		if err != nil {
			return err
		}
		if !isBlank(b) {
			return in.r.UnreadByte()
		}
		if b == '\n' {
			in.line++
		}
	}
}

// readLine returns the next line without its end. tooLong means it exceeded maxRow and was skipped.
// The text is valid until the next call. At the end of the input the error is io.EOF.
func (in *source) readLine() (text []byte, line int, tooLong bool, err error) {
	line = in.line
	in.buf = in.buf[:0]
	for {
		part, err := in.r.ReadSlice('\n')
		if len(in.buf)+len(part) > maxRow+2 { // not counting the line end
			tooLong = true
		}
		if !tooLong {
			in.buf = append(in.buf, part...)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && (len(in.buf) > 0 || tooLong):
			in.open = true
			return in.buf, line, tooLong, nil
		case err != nil:
			return nil, line, false, err
		}
		in.line++
		return bytes.TrimRight(in.buf, "\r\n"), line, tooLong, nil
	}
}

// readFailed returns an error with the position where reading stopped; nil at the regular end.
func (in *source) readFailed(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return fmt.Errorf("read input at line %d: %w", in.line, err)
}

func refusal(line int, id string, problems ...Problem) *RowError {
	return &RowError{Line: line, Candidate: OpaqueID(id), Problems: problems}
}

// cut refuses the rest of a row if the input ends inside it.
func cut(line int, p Problem) *RowError {
	refused := refusal(line, "", p)
	refused.Cut = true
	return refused
}

func rowTooLong() Problem {
	return Problem{Code: codeRowTooLong, Message: "the row is longer than 1 MiB and was skipped", Remedy: "check that line ends or closing quotes are not missing"}
}
