package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/seekout/icims-export/internal/prose"
	"github.com/seekout/icims-export/store"
)

// misleading is foreign text that would rewrite a terminal.
const misleading = "Ada \u202egnp.exe\x1b[2J\x1b]0;title\x07\u009b2K\u2028\u061c"

// No command prints escape sequences or bidirectional control characters from foreign text, in
// prose, tables or JSON.
func TestNoCommandPrintsControlCharacters(t *testing.T) {
	t.Parallel()
	w := newWard(t)
	batch, ids := w.accept("1234", 999, 0, 6)
	w.makeDead("1234", "icims_field_refused", store.Called{Op: "people.create", Status: 400, Reason: "icims_field_refused", Sent: "yes", Transaction: "T-1", Problems: []string{"code 4 on email: " + misleading}}, ids[:4]...)
	whoWhy := []string{"--who=" + misleading, "--why=" + misleading}
	shown := 0
	for _, args := range [][]string{
		{"connection", "add", "1234", "username=" + misleading, w.portal("1"), "--password-env=SOME_PASSWORD"},
		{"pause", "1234"}, {"lanes"}, {"lanes", "1234"}, {"connection", "list"}, {"connection", "show", "1234"}, {"resume", "1234"},
		{"apikeys", "new", "--name=" + misleading, "--scope=read", "--all-customers"}, {"apikeys", "list"},
		{"dead", "list"}, {"dead", "show", "1234:" + ids[0]}, {"dead", "show", "1234:" + ids[0], "--show-data"},
		{"show", "1234", "c-00000", "--words"},
		{"dead", "retry", "1234:" + ids[0]}, {"show", "1234", "c-00000"},
		{"dead", "discard", "1234:" + ids[1]}, {"dead", "transfer", "1234:" + ids[2], "--to-job=1709"},
		{"cancel", "--batch=" + string(batch)}, {"status", string(batch)}, {"audit"}, {"journal"},
		{"erase", "1234", "c-00005"}, {"connection", "remove", "1234"}, {"keys", "status"},
		{"verify", misleading}, {"show", "1234", misleading},
		{"dead", "show", misleading}, {misleading}, {"status", misleading},
	} {
		for _, form := range [][]string{nil, {"--json"}} {
			all := append(append([]string{}, args...), form...)
			r := w.call(append(all, whoWhy...)...)
			if strings.Contains(r.errors, "unknown flag --wh") {
				r = w.call(all...)
			}
			for where, text := range map[string]string{"stdout": r.out, "stderr": r.errors} {
				if i := strings.IndexFunc(text, prose.Misleading); i >= 0 {
					t.Errorf("%q prints control characters on %s: %q", all, where, text[max(0, i-60):min(len(text), i+20)])
				}
				shown += strings.Count(text, "<U+202E>") + strings.Count(text, `\u202e`)
			}
			if len(form) > 0 && r.status == statusDone {
				for line := range strings.Lines(r.out) {
					if !json.Valid([]byte(line)) {
						t.Errorf("%q prints no JSON: %q", all, line)
					}
				}
			}
		}
	}
	if shown < 20 {
		t.Errorf("the text was shown %d times: the commands do not print it any more", shown)
	}
}

func TestVisible(t *testing.T) {
	t.Parallel()
	for _, pieces := range [][]string{
		{"ab\u202ec"}, {"ab\xe2", "\x80\xaec"}, {"ab\xe2\x80", "\xaec"},
	} {
		var out bytes.Buffer
		v := &visible{out: &out}
		for _, piece := range pieces {
			if n, err := v.Write([]byte(piece)); n != len(piece) || err != nil {
				t.Fatalf("wrote %d of %d, %v", n, len(piece), err)
			}
		}
		if out.String() != "ab<U+202E>c" {
			t.Errorf("%q is written as %q", pieces, out.String())
		}
	}
	var out bytes.Buffer
	_, _ = (&visible{out: &out}).Write([]byte("a\x9bb\x1b[1mc\n\td"))
	if out.String() != "a<0x9B>b<U+001B>[1mc\n\td" {
		t.Errorf("wrote %q", out.String())
	}
	out.Reset()
	_, _ = (&visible{out: &out, json: true}).Write([]byte("{\"a\":\"\u202e\U000e0041\"}\n"))
	var v map[string]string
	if err := json.Unmarshal(out.Bytes(), &v); err != nil || v["a"] != "\u202e\U000e0041" || bytes.ContainsFunc(out.Bytes(), prose.Misleading) {
		t.Errorf("wrote %q: %v", out.String(), err)
	}
}
