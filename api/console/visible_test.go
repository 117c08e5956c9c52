package console

import "testing"

func TestVisiblePage(t *testing.T) {
	for page, want := range map[string]string{
		"<p>Ada \u202egnp\x1b[2J</p>\n":                        "<p>Ada &lt;U+202E&gt;gnp&lt;U+001B&gt;[2J</p>\n",
		"<a href=\"/x>\u202e\" title=\"\u202e\">y</a>":         "<a href=\"/x>\u202e\" title=\"&lt;U+202E&gt;\">y</a>",
		"<input value=\"\u202e>\u202e\"><b>\u202e</b>":         "<input value=\"\u202e>\u202e\"><b>&lt;U+202E&gt;</b>",
		"<textarea id=\"x\">a\u202e &lt;\r\n</textarea>\u202e": "<textarea id=\"x\">a\u202e &lt;\r\n</textarea>&lt;U+202E&gt;",
		"<i aria-label=\"\u202e\" title=\"a\u2066\">":          "<i aria-label=\"&lt;U+202E&gt;\" title=\"a&lt;U+2066&gt;\">",
		"<textarea>\u202e":                                     "<textarea>&lt;U+202E&gt;",
		"\u202e":                                               "&lt;U+202E&gt;",
		"<p title=\"\u202e":                                    "<p title=\"&lt;U+202E&gt;",
		"نیم\u200cفاصله":                                       "نیم\u200cفاصله",
	} {
		if got := string(visible([]byte(page))); got != want {
			t.Errorf("%q becomes %q, want %q", page, got, want)
		}
	}
}
