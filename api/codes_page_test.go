package api

import (
	"fmt"
	"os"
	"strings"
	"testing"
)

// codesTable returns the code table of docs/api.md, grouped by status.
func codesTable() string {
	var b strings.Builder
	b.WriteString("| code | status | what happened | what to do |\n| --- | --- | --- | --- |\n")
	for _, code := range Codes() {
		info := code.Info()
		fmt.Fprintf(&b, "| <a id=\"%s\"></a>`%s` | %d | %s | %s |\n", code, code, info.Status, info.Title, info.Meaning)
	}
	return b.String()
}

func TestCodesPageIsUpToDate(t *testing.T) {
	const file, mark = "../docs/api.md", "<!-- Generated from api/codes.go: make docs -->\n\n"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before, _, ok := strings.Cut(string(text), mark)
	if !ok {
		t.Fatal("docs/api.md has no place for the codes")
	}
	want := before + mark + codesTable()
	if *update {
		if err := os.WriteFile(file, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if string(text) != want {
		t.Error("docs/api.md lists other codes than api/codes.go: run make docs")
	}
}

// Every code is documented in the table and by each operation that returns it.
func TestEveryCodeIsExplained(t *testing.T) {
	for code, info := range codes {
		if info.Status < 400 || info.Status > 599 || info.Title == "" || !strings.HasSuffix(info.Meaning, ".") {
			t.Errorf("%s is not explained: %+v", code, info)
		}
		if strings.ToLower(string(code)) != string(code) || strings.ContainsAny(string(code), " -") {
			t.Errorf("%s is no code", code)
		}
	}
}
