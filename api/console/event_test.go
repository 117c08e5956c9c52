package console

import (
	"strings"
	"testing"
)

func TestEventDataKeepsItsLines(t *testing.T) {
	for _, c := range []struct{ data, want string }{
		{"", ""},
		{"<p>a</p>", "data: <p>a</p>\n"},
		{"<p>\n</p>\n", "data: <p>\ndata: </p>\n"},
		{"<p title=\"a\rb\">\r\n</p>", "data: <p title=\"a\ndata: b\">\ndata: </p>\n"},
		{"a\n\rb", "data: a\n" + "data: \n" + "data: b\n"},
	} {
		var b strings.Builder
		writeData(&b, c.data)
		if got := b.String(); got != c.want {
			t.Errorf("%q is written as %q, not %q", c.data, got, c.want)
		}
	}
}
