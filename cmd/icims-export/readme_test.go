package main

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

var anyNumber = regexp.MustCompile(`[0-9][0-9.,:]*`)

// wordsOf returns the lines of a text, with numbers replaced by # and single spaces.
func wordsOf(text string) map[string]bool {
	lines := map[string]bool{}
	for line := range strings.Lines(text) {
		lines[strings.Join(strings.Fields(anyNumber.ReplaceAllString(line, "#")), " ")] = true
	}
	return lines
}

// README.md shows the lines that the demo prints, except for the numbers.
func TestREADMEShowsTheDemo(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "## Try it\n")
	block := regexp.MustCompile("(?s):\n\n```\n(.*?)\n```\n").FindStringSubmatch(rest)
	if block == nil {
		t.Fatal("README.md shows no output of the demo")
	}
	r := call(t, "demo", "--candidates=20", "--exit")
	printed := wordsOf(r.errors + "\n" + r.out)
	for line := range wordsOf(block[1]) {
		if !printed[line] {
			t.Errorf("the demo does not print %q:\n%s%s", line, r.errors, r.out)
		}
	}
}
