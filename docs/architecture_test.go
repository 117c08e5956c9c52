package docs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/seekout/icims-export/"

// sources parses the Go files of each folder, without tests.
func sources(t *testing.T) map[string][]*ast.File {
	t.Helper()
	folders := map[string][]*ast.File{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		folder, _ := filepath.Rel(root, filepath.Dir(path))
		folders[folder] = append(folders[folder], file)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return folders
}

var quoted = regexp.MustCompile("`([a-z/-]+)`")

// drawn reads the table of folders in docs/architecture.md: what each imports of this module. A
// folder that may import anything is missing.
func drawn(t *testing.T) map[string][]string {
	t.Helper()
	text, err := os.ReadFile("architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(text), "| folder | holds | imports |")
	if !found {
		t.Fatal("docs/architecture.md has no table of folders")
	}
	imports := map[string][]string{}
	for line := range strings.Lines(table) {
		cells := strings.Split(line, "|")
		if len(cells) != 5 {
			if len(imports) > 0 {
				break
			}
			continue
		}
		may := strings.TrimSpace(cells[3])
		for _, folder := range quoted.FindAllStringSubmatch(cells[1], -1) {
			if may == "all" || may == "anything" || may == "---" {
				continue
			}
			imports[folder[1]] = []string{}
			for _, name := range quoted.FindAllStringSubmatch(may, -1) {
				imports[folder[1]] = append(imports[folder[1]], name[1])
			}
		}
	}
	return imports
}

// anything are folders that may import anything, with those inside them.
var anything = []string{"cmd", "internal", "bench", "chaos", "deploy", "docs", "scripts", "api/console/flows"}

// TestImportsAreAsDrawn: each folder imports what docs/architecture.md says, no more and no less.
// The helpers in internal are left out.
func TestImportsAreAsDrawn(t *testing.T) {
	t.Parallel()
	table, folders := drawn(t), sources(t)
	for folder := range table {
		if folders[folder] == nil {
			t.Errorf("docs/architecture.md lists %s, which has no code", folder)
		}
	}
	for folder, files := range folders {
		if slices.ContainsFunc(anything, func(name string) bool { return folder == name || strings.HasPrefix(folder, name+"/") }) {
			continue
		}
		may, listed := table[folder]
		if !listed {
			t.Errorf("docs/architecture.md does not list %s", folder)
			continue
		}
		does := map[string]bool{}
		for _, file := range files {
			for _, spec := range file.Imports {
				name, ours := strings.CutPrefix(strings.Trim(spec.Path.Value, `"`), module)
				if ours && !strings.HasPrefix(name, "internal/") {
					does[name] = true
				}
			}
		}
		for name := range does {
			if !slices.Contains(may, name) {
				t.Errorf("%s imports %s, which docs/architecture.md does not allow", folder, name)
			}
		}
		for _, name := range may {
			if !does[name] {
				t.Errorf("docs/architecture.md says that %s imports %s, which it does not", folder, name)
			}
		}
	}
}

// mostMethods is how many exported methods a type may have: one that needs more has several
// subjects.
const mostMethods = 20

func TestNoTypeHasTooManyMethods(t *testing.T) {
	t.Parallel()
	counted := 0
	for folder, files := range sources(t) {
		if strings.HasPrefix(folder, "icims/icimstest") || strings.HasPrefix(folder, "store/redistest") {
			continue
		}
		methods := map[string]int{}
		for _, file := range files {
			for _, d := range file.Decls {
				f, ok := d.(*ast.FuncDecl)
				if !ok || f.Recv == nil || !f.Name.IsExported() {
					continue
				}
				receiver := f.Recv.List[0].Type
				if star, ok := receiver.(*ast.StarExpr); ok {
					receiver = star.X
				}
				if id, ok := receiver.(*ast.Ident); ok {
					methods[id.Name]++
					counted++
				}
			}
		}
		for name, n := range methods {
			if n > mostMethods {
				t.Errorf("%s.%s has %d exported methods, more than %d", folder, name, n, mostMethods)
			}
		}
	}
	if counted == 0 {
		t.Error("no method was found")
	}
}

// TestClientNeedsNoRedis: a service that calls the HTTP API compiles neither Redis, asynq nor tink.
func TestClientNeedsNoRedis(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"api/client", "tasks/input"} {
		list := exec.Command("go", "list", "-deps", "./"+name)
		list.Dir = root
		out, err := list.Output()
		if err != nil || !strings.Contains(string(out), module+name) {
			t.Fatalf("%s: %v\n%s", name, err, out)
		}
		for dependency := range strings.Lines(string(out)) {
			for _, heavy := range []string{"redis", "asynq", "tink"} {
				if strings.Contains(dependency, heavy) {
					t.Errorf("%s depends on %s", name, dependency)
				}
			}
		}
	}
}
