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

// planting is one entry of bugs.yaml.
type planting struct {
	Promise int    `yaml:"promise"`
	Bug     string `yaml:"bug"`
	File    string `yaml:"file"`
	Old     string `yaml:"old"`
	New     string `yaml:"new"`
	Package string `yaml:"package"`
	Test    string `yaml:"test"`
}

func readBugs() ([]planting, error) {
	var bugs []planting
	if err := yaml.Unmarshal(document, &bugs); err != nil {
		return nil, fmt.Errorf("read bugs.yaml: %w", err)
	}
	return bugs, nil
}

// plant returns the file's text with the bug. It fails if the text to replace does not occur
// exactly once.
func (b planting) plant(root string) (string, error) {
	source, err := os.ReadFile(filepath.Join(root, b.File))
	if err != nil {
		return "", err
	}
	if n := strings.Count(string(source), b.Old); n != 1 {
		return "", fmt.Errorf("%s holds %q %d times instead of once: adapt the bug %q to the code", b.File, b.Old, n, b.Bug)
	}
	return strings.Replace(string(source), b.Old, b.New, 1), nil
}
