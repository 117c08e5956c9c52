package console

import (
	"bytes"
	"html"

	"github.com/seekout/icims-export/internal/prose"
)

// visible escapes characters that would change how a browser displays the text around them: control
// characters and bidirectional ones. Candidates, customers and iCIMS write parts of the text. User
// input stays unchanged where a form sends it back, in a text area or an attribute that browsers do
// not display.
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
		case r == '\r': // ends a line
			out.WriteByte('\n')
		case prose.Misleading(r):
			out.WriteString(html.EscapeString(prose.Escape(r)))
		default:
			out.WriteRune(r)
		}
	}
}

// endOfTag returns where a tag ends: at the first > outside of values.
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

// displayed are the attributes that browsers display or read aloud.
var displayed = [][]byte{[]byte(` title="`), []byte(` aria-label="`), []byte(` placeholder="`), []byte(` alt="`)}

// writeTag writes a tag, and escapes the values that are displayed.
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
