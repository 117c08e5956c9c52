package main

import (
	_ "embed"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/goccy/go-yaml"
)

//go:embed bugs.yaml
var document []byte

// bug is one entry of bugs.yaml.
type bug struct {
	Promise int    `yaml:"promise"`
	Bug     string `yaml:"bug"`
	File    string `yaml:"file"`
	Old     string `yaml:"old"`
	New     string `yaml:"new"`
	Package string `yaml:"package"`
	Test    string `yaml:"test"`
}

func readBugs() ([]bug, error) {
	var bugs []bug
	if err := yaml.Unmarshal(document, &bugs); err != nil {
		return nil, fmt.Errorf("read bugs.yaml: %w", err)
	}
	return bugs, nil
}

// plant returns the file's text with the bug in it. It fails where the code has changed so that the
// bug fits no more.
func (b bug) plant(root string) (string, error) {
	source, err := os.ReadFile(filepath.Join(root, b.File)) //nolint:gosec // of this repository
	if err != nil {
		return "", err
	}
	if n := strings.Count(string(source), b.Old); n != 1 {
		return "", fmt.Errorf("%s holds %q %d times instead of once: adapt the bug %q to the code", b.File, b.Old, n, b.Bug)
	}
	return strings.Replace(string(source), b.Old, b.New, 1), nil
}
