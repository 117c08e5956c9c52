package store

import (
	"reflect"
	"slices"
)

// ChangedSettings names the settings in which two connections differ, as the file of
// connections calls them, nested ones with dots.
func ChangedSettings(before, after Connection) []string {
	var names []string
	if before.Password != after.Password {
		names = append(names, "password")
	}
	names = append(names, changedFields("", reflect.ValueOf(before), reflect.ValueOf(after))...)
	slices.Sort(names)
	return names
}

func changedFields(parent string, before, after reflect.Value) []string {
	var names []string
	for f := range before.Type().Fields() {
		name := f.Tag.Get("yaml")
		x, y := before.FieldByIndex(f.Index), after.FieldByIndex(f.Index)
		switch {
		case name == "-":
		case x.Kind() == reflect.Struct:
			names = append(names, changedFields(parent+name+".", x, y)...)
		case !x.Equal(y):
			names = append(names, parent+name)
		}
	}
	return names
}
