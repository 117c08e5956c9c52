package prose

import (
	"fmt"
	"strings"
	"unicode"
)

// Printable escapes characters that would change how the surrounding text is displayed. In
// untrusted text an escape sequence could rewrite the screen, and a bidirectional control character
// could reorder a line. Line breaks and tabs become spaces.
func Printable(text string) string {
	if !strings.ContainsFunc(text, misleads) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		switch {
		case r == '\n', r == '\r', r == '\t':
			b.WriteByte(' ')
		case misleads(r):
			b.WriteString(Escape(r))
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// Misleading reports whether a character changes how the surrounding text is displayed. Line breaks
// and tabs do not: they are part of formatted text.
func Misleading(r rune) bool { return r != '\n' && r != '\t' && misleads(r) }

// Escape returns the visible form of a character, for example <U+202E>.
func Escape(r rune) string { return fmt.Sprintf("<U+%04X>", r) }

func misleads(r rune) bool {
	switch {
	case r < ' ', r >= 0x7f && r < 0xa0: // control characters, including escape
		return true
	case unicode.Is(unicode.Bidi_Control, r):
		return true
	case r == 0x2028, r == 0x2029: // line and paragraph separators
		return true
	case r >= 0xfff9 && r <= 0xfffb: // annotations
		return true
	case r >= 0xe0000 && r <= 0xe007f: // invisible tags
		return true
	}
	return false
}
