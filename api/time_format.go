package api

import (
	"reflect"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// Responses contain times in UTC with milliseconds, independent of how they are stored.

// convertTimes returns a copy of v with its times converted for a response. It does not change v,
// which may be shared.
func convertTimes(v any) any {
	value := reflect.ValueOf(v)
	if !value.IsValid() || !hasTimes(value.Type()) {
		return v
	}
	return withTimes(value).Interface()
}

// humaTimes is convertTimes for huma's responses.
func humaTimes(_ huma.Context, _ string, v any) (any, error) { return convertTimes(v), nil }

var timeType = reflect.TypeFor[time.Time]()

// withTimes returns a copy of a value whose type contains times.
func withTimes(v reflect.Value) reflect.Value {
	if v.Type() == timeType {
		at, _ := reflect.TypeAssert[time.Time](v)
		return reflect.ValueOf(at.UTC().Truncate(time.Millisecond))
	}
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if v.IsNil() {
			return v
		}
		if v.Kind() == reflect.Interface {
			return reflect.ValueOf(convertTimes(v.Elem().Interface()))
		}
		copied := reflect.New(v.Type().Elem())
		copied.Elem().Set(withTimes(v.Elem()))
		return copied
	case reflect.Struct:
		copied := reflect.New(v.Type()).Elem()
		copied.Set(v)
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() && hasTimes(f.Type) {
				copied.Field(i).Set(withTimes(v.Field(i)))
			}
		}
		return copied
	case reflect.Slice:
		if v.IsNil() {
			return v
		}
		copied := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		for i := range v.Len() {
			copied.Index(i).Set(withTimes(v.Index(i)))
		}
		return copied
	case reflect.Map:
		if v.IsNil() {
			return v
		}
		copied := reflect.MakeMapWithSize(v.Type(), v.Len())
		for key, element := range v.Seq2() {
			copied.SetMapIndex(key, withTimes(element))
		}
		return copied
	default:
		return v
	}
}

// timed caches which types contain times.
var timed sync.Map

// hasTimes reports whether a type can contain times.
func hasTimes(t reflect.Type) bool {
	if known, ok := timed.Load(t); ok {
		has, _ := known.(bool)
		return has
	}
	has := findTimes(t, map[reflect.Type]bool{})
	timed.Store(t, has)
	return has
}

func findTimes(t reflect.Type, above map[reflect.Type]bool) bool {
	switch {
	case t == timeType || t.Kind() == reflect.Interface:
		return true
	case above[t]:
		return false
	}
	above[t] = true
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		return findTimes(t.Elem(), above)
	case reflect.Struct:
		for f := range t.Fields() {
			if f.IsExported() && findTimes(f.Type, above) {
				return true
			}
		}
	default:
	}
	return false
}
