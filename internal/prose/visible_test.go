package prose_test

import (
	"testing"

	"github.com/seekout/icims-export/internal/prose"
)

func TestPrintable(t *testing.T) {
	for text, want := range map[string]string{
		"Zoë Nuñez 李明":                      "Zoë Nuñez 李明",
		"a\u202egnp.exe":                    "a<U+202E>gnp.exe",
		"a\u2066b\u2069c":                   "a<U+2066>b<U+2069>c",
		"\x1b[31mred\x1b[0m":                "<U+001B>[31mred<U+001B>[0m",
		"\x1b]0;title\x07":                  "<U+001B>]0;title<U+0007>",
		"a\u009b2Jb":                        "a<U+009B>2Jb",
		"two\r\nlines\tand a tab":           "two  lines and a tab",
		"a\u2028b":                          "a<U+2028>b",
		"نیم\u200cفاصله":                    "نیم\u200cفاصله", // joiners are part of words
		"tag\U000e0041":                     "tag<U+E0041>",
		"null\x00":                          "null<U+0000>",
		"Hebrew mark \u200f, Arabic \u061c": "Hebrew mark <U+200F>, Arabic <U+061C>",
	} {
		if got := prose.Printable(text); got != want {
			t.Errorf("%q is shown as %q, want %q", text, got, want)
		}
	}
}
