package console

import (
	"bytes"
	"html"

	"github.com/seekout/icims-export/internal/prose"
)

// visible shows the characters of a page that would change how a browser displays the
// text around them: control characters, and bidirectional ones. Candidates, customers and
// iCIMS write parts of the text. What a person has entered stays as it is where it goes
// back with a form, in a text area or an attribute that no browser displays.
func visible(page []byte) []byte {
	if !bytes.ContainsFunc(page, prose.Misleading) {
		return page
	}
	var out bytes.Buffer
	for len(page) > 0 {
		end := bytes.IndexByte(page, '<')
		if end < 0 {
			end = len(page)
		}
		writeVisible(&out, page[:end])
		if page = page[end:]; len(page) == 0 {
			break
		}
		end = endOfTag(page)
		writeTag(&out, page[:end])
		area := bytes.HasPrefix(page, []byte("<textarea"))
		if page = page[end:]; area {
			end = max(0, bytes.Index(page, []byte("</textarea")))
			out.Write(page[:end])
			page = page[end:]
		}
	}
	return out.Bytes()
}

func writeVisible(out *bytes.Buffer, text []byte) {
	for _, r := range string(text) {
		switch {
		case r == '\r': // it breaks a line
			out.WriteByte('\n')
		case prose.Misleading(r):
			out.WriteString(html.EscapeString(prose.Escape(r)))
		default:
			out.WriteRune(r)
		}
	}
}

// endOfTag is where a tag ends: at the first > that is in no value.
func endOfTag(tag []byte) int {
	var quote byte
	for i, c := range tag {
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '"', c == '\'':
			quote = c
		case c == '>':
			return i + 1
		}
	}
	return len(tag)
}

// displayed are the attributes whose values browsers display or read out.
var displayed = [][]byte{[]byte(` title="`), []byte(` aria-label="`), []byte(` placeholder="`), []byte(` alt="`)}

// writeTag writes a tag with the values visible that are displayed.
func writeTag(out *bytes.Buffer, tag []byte) {
	for len(tag) > 0 {
		first, begin := len(tag), len(tag)
		for _, name := range displayed {
			if i := bytes.Index(tag, name); i >= 0 && i < first {
				first, begin = i, i+len(name)
			}
		}
		out.Write(tag[:begin])
		if tag = tag[begin:]; len(tag) == 0 {
			return
		}
		end := bytes.IndexByte(tag, '"')
		if end < 0 {
			end = len(tag)
		}
		writeVisible(out, tag[:end])
		tag = tag[end:]
	}
}
