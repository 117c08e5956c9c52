package deploy

import (
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func TestDockerfile(t *testing.T) {
	t.Parallel()
	stages := strings.Split(string(read(t, "../Dockerfile")), "\nFROM ")
	build, last := stages[0], stages[len(stages)-1]
	t.Run("the binary is static and reproducible", func(t *testing.T) {
		for _, part := range []string{"CGO_ENABLED=0", "-trimpath", "-s -w"} {
			if !strings.Contains(build, part) {
				t.Errorf("the build lacks %s", part)
			}
		}
	})
	t.Run("the image holds nothing but the program, the authorities and two folders for volumes", func(t *testing.T) {
		if !strings.HasPrefix(last, "scratch\n") || strings.Count(last, "COPY ") != 3 {
			t.Errorf("the last stage is:\n%s", last)
		}
	})
	t.Run("the program does not run as root", func(t *testing.T) {
		if !regexp.MustCompile(`(?m)^USER [1-9]\d*:[1-9]\d*$`).MatchString(last) {
			t.Error("no numeric user above 0")
		}
	})
	t.Run("volumes for the keys and Redis's users belong to the program's user", func(t *testing.T) {
		user := regexp.MustCompile(`(?m)^USER (\S+)$`).FindStringSubmatch(last)
		if user == nil || !strings.Contains(last, "--chown="+user[1]+" /out/root/ /\n") || !strings.Contains(build, "mkdir -p /out/root/keys /out/root/acl && chmod 700 /out/root/keys && chmod 755 /out/root/acl") {
			t.Errorf("the last stage is:\n%s", last)
		}
	})
	t.Run("the builder gets every folder that the program is made of", func(t *testing.T) {
		lines := strings.Split(string(read(t, "../.dockerignore")), "\n")
		if !slices.Contains(lines, "*") {
			t.Error("not all other files are excluded")
		}
		listed, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "../cmd/icims-export").Output()
		if err != nil {
			t.Fatal(err)
		}
		const module = "github.com/seekout/icims-export/"
		parts := map[string]bool{"go.mod": true, "go.sum": true}
		for pkg := range strings.FieldsSeq(string(listed)) {
			if path, ours := strings.CutPrefix(pkg, module); ours {
				folder, _, _ := strings.Cut(path, "/")
				parts[folder] = true
			}
		}
		for name := range parts {
			if !slices.Contains(lines, "!"+name) {
				t.Errorf("%s is left out", name)
			}
		}
	})
}
