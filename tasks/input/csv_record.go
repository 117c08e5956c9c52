package input

import (
	"bytes"
	"errors"
	"io"
	"unicode/utf8"
)

const (
	// maxCells is far more than the columns of a candidate.
	maxCells = 2000
	// maxRecordLines limits how much a missing closing quote can consume.
	maxRecordLines = 100
)

// csvRecord is one record of a CSV file. Its text is in a buffer that the next record reuses.
type csvRecord struct {
	line    int // of the first character
	endLine int // of the last
	text    []byte
	ends    []int // end of each cell in text
	problem *Problem
	cut     bool // the input ends inside the record
}

func (r *csvRecord) cells() int { return len(r.ends) }

func (r *csvRecord) cell(i int) []byte {
	if i >= len(r.ends) {
		return nil
	}
	from := 0
	if i > 0 {
		from = r.ends[i-1]
	}
	return r.text[from:r.ends[i]]
}

// blank reports whether all cells are empty.
func (r *csvRecord) blank() bool {
	return r.problem == nil && len(bytes.TrimSpace(r.text)) == 0
}

// csvReader splits its input into records. encoding/csv is unsuitable for two reasons: it buffers
// without limit after an opening quote, and it stops at the first stray quote.
type csvReader struct {
	in    *source
	comma byte
	rec   csvRecord
}

// next reads one record. It returns io.EOF at the end, or the read error. The record is valid until
// the next call.
func (r *csvReader) next() (*csvRecord, error) {
	rec := &r.rec
	*rec = csvRecord{line: r.in.line, endLine: r.in.line, text: rec.text[:0], ends: rec.ends[:0]}
	const (
		cellStart = iota
		inCell
		inQuotes
		quoteInQuotes // the closing quote, or the first of a doubled one
	)
	state := cellStart
	read := 0
	var last byte
	for {
		b, err := r.in.readCSVByte()
		if err != nil {
			if !errors.Is(err, io.EOF) || read == 0 {
				return nil, err
			}
			if state == inQuotes {
				// A complete file ends with a line break: a quote is missing.
				rec.refuse(quoteOpen())
				rec.cut = last != '\n'
			}
			rec.ends = append(rec.ends, len(rec.text))
			return rec, nil
		}
		if read++; read > maxRow {
			return rec, r.abandon(b, rowTooLong())
		}
		last, rec.endLine = b, r.in.line
		if b == '\n' {
			rec.endLine-- // the line break belongs to the line it ends
		}
		switch {
		case state == inQuotes && b == '"':
			state = quoteInQuotes
		case state == inQuotes:
			if b == '\n' && rec.endLine-rec.line+1 >= maxRecordLines {
				return rec, r.abandon(b, quoteOpen())
			}
			rec.text = append(rec.text, b)
		case state == quoteInQuotes && b == '"':
			rec.text = append(rec.text, b)
			state = inQuotes
		case b == r.comma:
			if len(rec.ends) >= maxCells {
				return rec, r.abandon(b, Problem{Code: codeRowTooWide, Message: "the row has more than 2000 cells", Remedy: "check that line ends are not missing"})
			}
			rec.ends = append(rec.ends, len(rec.text))
			state = cellStart
		case b == '\n':
			rec.ends = append(rec.ends, len(rec.text))
			return rec, nil
		case state == quoteInQuotes:
			return rec, r.abandon(b, Problem{Code: codeQuoteStray, Message: "text after a closing quote",
				Remedy: "double quotes inside a value, and quote the whole value"})
		case state == cellStart && b == '"':
			state = inQuotes
		default:
			rec.text = append(rec.text, b)
			state = inCell
		}
	}
}

func quoteOpen() Problem {
	return Problem{Code: codeQuoteOpen, Message: "a quote is not closed", Remedy: "close it, or double quotes inside a value"}
}

func (r *csvRecord) refuse(p Problem) { r.problem = &p }

// abandon refuses the record and skips to the next line; last is the byte read last.
func (r *csvReader) abandon(last byte, p Problem) error {
	r.rec.refuse(p)
	for last != '\n' {
		var err error
		if last, err = r.in.readCSVByte(); err != nil {
			if errors.Is(err, io.EOF) {
				break
			}
			return err
		}
	}
	r.rec.endLine = max(r.rec.line, r.in.line-1)
	return nil
}

// readCSVByte reads a byte and converts every kind of line end (LF, CRLF, CR) to LF.
func (in *source) readCSVByte() (byte, error) {
	b, err := in.r.ReadByte()
	if err != nil {
		return 0, err
	}
	if b == '\r' {
		b = '\n'
		if next, err := in.r.Peek(1); err == nil && next[0] == '\n' {
			_, _ = in.r.Discard(1) // cannot fail: just peeked
		}
	}
	if b == '\n' {
		in.line++
	}
	return b, nil
}

// peekLine returns the first non-empty line, as far as it is in the buffer. It waits for no more
// than that line, since the input may be a pipe.
func (in *source) peekLine() []byte {
	start, seen := 0, 0
	for {
		_, err := in.r.Peek(in.r.Buffered() + 1)
		head, _ := in.r.Peek(in.r.Buffered()) // cannot fail: it is buffered
		for ; seen < len(head); seen++ {
			if head[seen] != '\r' && head[seen] != '\n' {
				continue
			}
			if seen > start {
				return head[start:seen]
			}
			start = seen + 1
		}
		if err != nil {
			return head[start:]
		}
	}
}

// delimiter guesses the delimiter from the header: Excel writes semicolons if the comma is the
// decimal sign, and tabs as "Unicode text". It consumes the line "sep=;" that Excel puts first.
func (in *source) delimiter() byte {
	head := in.peekLine()
	if len(head) == 5 && bytes.EqualFold(head[:4], []byte("sep=")) {
		comma := head[4]
		var err error
		for b, begun := byte(0), false; err == nil && (b != '\n' || !begun); begun = begun || b != '\n' {
			b, err = in.readCSVByte()
		}
		if comma < utf8.RuneSelf && comma != '"' && !isBlank(comma) || comma == '\t' {
			return comma
		}
		return ','
	}
	best, most := byte(','), 0
	for _, comma := range []byte(",;\t") {
		known := 0
		for name := range bytes.SplitSeq(head, []byte{comma}) {
			if _, ok := csvColumn(clean(string(bytes.Trim(name, `"`)))); ok {
				known++
			}
		}
		if known > most {
			best, most = comma, known
		}
	}
	return best
}
