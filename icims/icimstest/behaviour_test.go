package icimstest

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

// TestTheREADMEListsEverySwitch: the README has a row for every switch, with every value that check
// allows.
func TestTheREADMEListsEverySwitch(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	allowed := regexp.MustCompile(`is not one of \[(.*)\]$`)
	for f := range reflect.TypeFor[Behavior]().Fields() {
		row := ""
		for line := range strings.Lines(string(readme)) {
			if strings.HasPrefix(line, "| `"+f.Name+"`") {
				row = line
			}
		}
		if row == "" {
			t.Errorf("README.md has no row for %s", f.Name)
		}
		if f.Type.Kind() != reflect.String {
			continue
		}
		b := reflect.New(reflect.TypeFor[Behavior]()).Elem()
		b.FieldByIndex(f.Index).SetString("no such value")
		m := allowed.FindStringSubmatch(b.Interface().(Behavior).check().Error())
		if m == nil {
			t.Fatalf("%s: any value is allowed", f.Name)
		}
		for value := range strings.FieldsSeq(m[1]) {
			if !strings.Contains(row, "`"+value+"`") {
				t.Errorf("README.md does not list %s of %s", value, f.Name)
			}
		}
	}
}
