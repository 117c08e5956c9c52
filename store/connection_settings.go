package store

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
)

// ChangedSettings lists the settings in which two connections differ, by their names in the
// connections file, with dots for nested ones.
func ChangedSettings(before, after Connection) []string {
	var names []string
	if before.Password != after.Password {
		names = append(names, "password")
	}
	had := map[string]string{}
	before.Settings(func(name, value string) { had[name] = value })
	after.Settings(func(name, value string) {
		if had[name] != value {
			names = append(names, name)
		}
		delete(had, name)
	})
	for name := range had { // settings that were removed
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// SettingNames lists the settings of a connection by their names in the connections file, with dots
// for nested ones. Customer and password are left out.
func SettingNames() []string {
	var names []string
	eachSetting("", reflect.ValueOf(&Connection{}).Elem(), func(name string, _ reflect.Value) {
		if name != "customer" {
			names = append(names, name)
		}
	})
	return names
}

// SettingError rejects an unknown setting of a connection or a malformed value.
type SettingError struct {
	Setting string
	Unknown bool
	Zero    bool // a number whose zero value means the default, so 0 is not allowed
}

func (e *SettingError) Error() string {
	if e.Unknown {
		return fmt.Sprintf("a connection has no setting %q", e.Setting)
	}
	if e.Zero {
		return fmt.Sprintf("the setting %s cannot be 0: leave its value out for the default; to stop the calls of a customer, pause it", e.Setting)
	}
	return fmt.Sprintf("the setting %s must be a number", e.Setting)
}

// Set sets a setting by name. It returns a *SettingError if that fails.
func (c *Connection) Set(name, value string) error {
	if !slices.Contains(SettingNames(), name) {
		return &SettingError{Setting: name, Unknown: true}
	}
	var err error
	zero := false
	eachSetting("", reflect.ValueOf(c).Elem(), func(known string, field reflect.Value) {
		if known == name {
			err = setField(field, value)
			zero = field.Kind() != reflect.String && value != "" && field.IsZero()
		}
	})
	switch {
	case err != nil:
		return &SettingError{Setting: name}
	case zero:
		return &SettingError{Setting: name, Zero: true}
	}
	return nil
}

func setField(field reflect.Value, value string) error {
	switch {
	case field.Kind() == reflect.String:
		field.SetString(value)
	case value == "": // the default
		field.SetZero()
	case field.CanInt():
		n, err := strconv.Atoi(value)
		field.SetInt(int64(n))
		return err
	default:
		n, err := strconv.ParseFloat(value, 64)
		field.SetFloat(n)
		return err
	}
	return nil
}

// Settings calls yield with each setting that has a value, in order.
func (c Connection) Settings(yield func(name, value string)) {
	eachSetting("", reflect.ValueOf(c), func(name string, field reflect.Value) {
		if !field.IsZero() {
			yield(name, fmt.Sprint(field.Interface()))
		}
	})
}

func eachSetting(parent string, of reflect.Value, visit func(name string, field reflect.Value)) {
	for f := range of.Type().Fields() {
		name := f.Tag.Get("yaml")
		switch field := of.FieldByIndex(f.Index); {
		case name == "-":
		case field.Kind() == reflect.Struct:
			eachSetting(parent+name+".", field, visit)
		default:
			visit(parent+name, field)
		}
	}
}
