// Package docs_test checks the documentation: links resolve, named files exist, and shown code
// compiles.
package docs_test

import (
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode"
)

const root = ".."

var (
	link     = regexp.MustCompile(`\[[^\]\n]*\]\(([^)\s]+)\)`)
	heading  = regexp.MustCompile(`(?m)^#{1,6} +(.+?) *$`)
	fence    = regexp.MustCompile("(?ms)^```.*?^```$")
	filePath = regexp.MustCompile("`((?:[a-zA-Z0-9_.-]+/)+[a-zA-Z0-9_-]+\\.(?:go|lua|sh|md))`")
	// ledgerKey matches a line of the key list in store/keys.go.
	ledgerKey = regexp.MustCompile(`(?m)^//\t(ix:\S+(?: hash>\S*)?) {2,}`)
	variable  = regexp.MustCompile(`\bICIMS_EXPORT_[A-Z_]+`)
	goBlock   = regexp.MustCompile("(?ms)^```go\n(.*?)^```$")
)

// documents returns all Markdown files by path from the root.
func documents(t *testing.T) map[string]string {
	t.Helper()
	texts := map[string]string{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && entry.Name() != root && strings.HasPrefix(entry.Name(), "."), entry.IsDir() && entry.Name() == "bin":
			return filepath.SkipDir
		case entry.IsDir() || filepath.Ext(path) != ".md":
			return nil
		}
		text, err := os.ReadFile(path)
		texts[filepath.ToSlash(strings.TrimPrefix(path, root+string(filepath.Separator)))] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return texts
}

func exists(path string) bool {
	_, err := os.Stat(filepath.Join(root, filepath.FromSlash(path)))
	return err == nil
}

// anchor returns GitHub's anchor for a heading.
func anchor(title string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(strings.ReplaceAll(title, "`", "")) {
		switch {
		case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
			b.WriteRune(r)
		case r == ' ':
			b.WriteByte('-')
		}
	}
	return b.String()
}

func hasAnchor(text, name string) bool {
	for _, m := range heading.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
		if anchor(m[1]) == name {
			return true
		}
	}
	return false
}

func TestLinksResolve(t *testing.T) {
	t.Parallel()
	all := documents(t)
	for _, must := range []string{"README.md", "docs/architecture.md", "docs/redis-keys.md", "docs/adr/README.md"} {
		if all[must] == "" {
			t.Errorf("%s is missing", must)
		}
	}
	for name, text := range all {
		for _, m := range link.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
			target, err := url.Parse(m[1])
			switch {
			case err != nil:
				t.Errorf("%s: %q is no link", name, m[1])
				continue
			case target.Scheme != "":
				continue // external
			}
			path := name
			if target.Path != "" {
				path = filepath.ToSlash(filepath.Join(filepath.Dir(name), filepath.FromSlash(target.Path)))
			}
			if !exists(path) {
				t.Errorf("%s: %q leads to no file", name, m[1])
				continue
			}
			if target.Fragment != "" && !hasAnchor(all[path], target.Fragment) {
				t.Errorf("%s: %q leads to no heading", name, m[1])
			}
		}
	}
}

func TestNamedFilesExist(t *testing.T) {
	t.Parallel()
	for name, text := range documents(t) {
		for _, m := range filePath.FindAllStringSubmatch(fence.ReplaceAllString(text, ""), -1) {
			if !exists(m[1]) && !exists(filepath.ToSlash(filepath.Join(filepath.Dir(name), m[1]))) {
				t.Errorf("%s names %s, which does not exist", name, m[1])
			}
		}
	}
}

// TestNamedVariablesExist: docs/configuration.md is generated from the settings, so it has them
// all.
func TestNamedVariablesExist(t *testing.T) {
	t.Parallel()
	all := documents(t)
	for name, text := range all {
		for _, v := range variable.FindAllString(text, -1) {
			if !strings.Contains(all["docs/configuration.md"], "`"+v+"`") {
				t.Errorf("%s names %s, which is no setting", name, v)
			}
		}
	}
}

// TestTheLedgerIsDescribed: docs/redis-keys.md names every key and every script of the ledger.
func TestTheLedgerIsDescribed(t *testing.T) {
	t.Parallel()
	text := documents(t)["docs/redis-keys.md"]
	keys, err := os.ReadFile(filepath.Join(root, "store", "keys.go"))
	if err != nil {
		t.Fatal(err)
	}
	named := ledgerKey.FindAllStringSubmatch(string(keys), -1)
	for _, m := range named {
		if !strings.Contains(text, "| `"+m[1]+"` |") {
			t.Errorf("docs/redis-keys.md has no row for the key %s", m[1])
		}
	}
	scripts, err := filepath.Glob(filepath.Join(root, "store", "scripts", "*.lua"))
	if err != nil || len(scripts) == 0 || len(named) == 0 {
		t.Fatalf("%d scripts (%v), %d keys", len(scripts), err, len(named))
	}
	for _, path := range scripts {
		name := strings.TrimSuffix(filepath.Base(path), ".lua")
		if !strings.Contains(text, "`"+name+"`") && !strings.Contains(text, "store/scripts/"+name+".lua") {
			t.Errorf("docs/redis-keys.md does not describe the script %s", name)
		}
	}
}

func TestEveryDecisionIsInTheIndex(t *testing.T) {
	t.Parallel()
	all := documents(t)
	for name := range all {
		base, isDecision := strings.CutPrefix(name, "docs/adr/")
		if isDecision && base != "README.md" && !strings.Contains(all["docs/adr/README.md"], "]("+base+")") {
			t.Errorf("%s is not in docs/adr/README.md", name)
		}
	}
}

// TestReadmeShowsCodeThatRuns: the README's Go code comes from examples that run as tests.
func TestReadmeShowsCodeThatRuns(t *testing.T) {
	t.Parallel()
	examples, err := os.ReadFile(filepath.Join(root, "tasks", "example_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := goBlock.FindAllStringSubmatch(documents(t)["README.md"], -1)
	if len(blocks) == 0 {
		t.Error("README.md shows no Go code")
	}
	for _, block := range blocks {
		if !strings.Contains(string(examples), block[1]) {
			t.Errorf("not in tasks/example_test.go:\n%s", block[1])
		}
	}
}
