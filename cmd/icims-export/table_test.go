package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTable(t *testing.T) {
	t.Parallel()
	t.Run("columns are aligned by characters, not bytes", func(t *testing.T) {
		var out strings.Builder
		tab := table{out: &out, indent: 1, right: map[int]bool{1: true}}
		if err := tab.write(cells("Zoë", "7", "x"), cells("Bo", "123", "")); err != nil {
			t.Fatal(err)
		}
		want := " Zoë    7  x\n Bo   123\n"
		if diff := cmp.Diff(want, out.String()); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("the last column is cut to the terminal", func(t *testing.T) {
		var out strings.Builder
		tab := table{out: &out, width: 12}
		if err := tab.write(cells("abc", "long enough to cut")); err != nil {
			t.Fatal(err)
		}
		if got := out.String(); got != "abc  long e…\n" {
			t.Errorf("got %q", got)
		}
	})
	t.Run("colours do not shift columns", func(t *testing.T) {
		var plainOut, colourOut strings.Builder
		rows := [][]cell{header("a", "b"), {{"long", red}, {"x", green}}}
		(&table{out: &plainOut}).write(rows...)
		(&table{out: &colourOut, style: style{true}}).write(rows...)
		bare := strings.NewReplacer(string(bold), "", string(red), "", string(green), "", "\x1b[0m", "").Replace(colourOut.String())
		if diff := cmp.Diff(plainOut.String(), bare); diff != "" || !strings.Contains(colourOut.String(), string(red)) {
			t.Error(diff)
		}
	})
}

func TestHang(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	hang(&out, 40, "  → ", "a text that is wrapped and continues below its first word")
	want := "  → a text that is wrapped and continues\n    below its first word\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}

func TestBar(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		done, all int
		want      string
	}{
		"nothing to do": {0, 0, "░░░░"},
		"half":          {5, 10, "██░░"},
		"all":           {10, 10, "████"},
		"more than all": {11, 10, "████"},
	} {
		if got := bar(c.done, c.all, 4); got != c.want {
			t.Errorf("%s: got %s", name, got)
		}
	}
}
