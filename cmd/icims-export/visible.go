package main

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/seekout/icims-export/internal/prose"
)

// visible writes all output of a command. Output includes texts from customers, candidates and
// iCIMS, so it escapes characters that would change how a terminal displays the rest: escape
// sequences, other control characters and bidirectional ones. The sequences that this program uses
// for colors and progress pass unchanged.
type visible struct {
	out io.Writer
	// json means that the output is JSON, where \u202e is the same character in escaped form.
	json bool

	mu   sync.Mutex
	rest []byte // of an incomplete character
}

// ours are the sequences that this program writes to terminals.
var ours = []string{string(bold), string(dim), string(red), string(green), string(yellow), string(cyan), endColour, wipeLine}

// Unwrap returns the output, so that callers can check whether it is a terminal.
func (v *visible) Unwrap() io.Writer { return v.out }

// Write writes text with its control characters escaped.
func (v *visible) Write(text []byte) (int, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	all := text
	if len(v.rest) > 0 {
		all = slices.Concat(v.rest, text)
		v.rest = nil
	}
	if n := unfinished(all); n > 0 {
		all, v.rest = all[:len(all)-n], bytes.Clone(all[len(all)-n:])
	}
	if plainText(all) {
		if _, err := v.out.Write(all); err != nil {
			return 0, err
		}
		return len(text), nil
	}
	_, colours := terminal(v.out)
	var b strings.Builder
	for len(all) > 0 {
		if n := ownSequence(all); n > 0 && colours {
			b.Write(all[:n])
			all = all[n:]
			continue
		}
		r, n := utf8.DecodeRune(all)
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, "<0x%02X>", all[0])
		case prose.Misleading(r) && v.json:
			for _, unit := range utf16.Encode([]rune{r}) {
				fmt.Fprintf(&b, `\u%04x`, unit)
			}
		case prose.Misleading(r):
			b.WriteString(prose.Escape(r))
		default:
			b.Write(all[:n])
		}
		all = all[n:]
	}
	if _, err := io.WriteString(v.out, b.String()); err != nil {
		return 0, err
	}
	return len(text), nil
}

// plainText reports whether text needs no escaping.
func plainText(text []byte) bool {
	return utf8.Valid(text) && !bytes.ContainsFunc(text, prose.Misleading)
}

// ownSequence returns the length of this program's sequence at the start of text, or 0.
func ownSequence(text []byte) int {
	for _, s := range ours {
		if bytes.HasPrefix(text, []byte(s)) {
			return len(s)
		}
	}
	return 0
}

// unfinished returns how many bytes at the end of text are an incomplete character.
func unfinished(text []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(text); n++ {
		last := text[len(text)-n:]
		if utf8.RuneStart(last[0]) {
			if last[0] >= utf8.RuneSelf && !utf8.FullRune(last) {
				return n
			}
			return 0
		}
	}
	return 0
}
