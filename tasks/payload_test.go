package tasks_test

import (
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seekout/icims-export/tasks"
	"github.com/seekout/icims-export/tasks/input"
)

// sameCandidate compares all fields that a producer can set.
var sameCandidate = cmp.Options{cmpopts.IgnoreUnexported(input.Candidate{}), cmpopts.EquateEmpty()}

// filled has a different text in every field of every group, set by reflection, so that no new
// field is missed.
func filled(t *testing.T) input.Candidate {
	t.Helper()
	var c input.Candidate
	text := byte('a')
	var fill func(v reflect.Value)
	fill = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.String:
			v.SetString(string(text) + " é")
			text++
		case reflect.Struct:
			for i := range v.NumField() {
				if v.Type().Field(i).IsExported() {
					fill(v.Field(i))
				}
			}
		case reflect.Slice:
			v.Set(reflect.MakeSlice(v.Type(), 2, 2))
			fill(v.Index(0))
			fill(v.Index(1))
		default:
			t.Fatalf("payloads cannot hold a %s yet", v.Type())
		}
	}
	fill(reflect.ValueOf(&c).Elem())
	return c
}

func TestPayload(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]tasks.Payload{
		"nothing at all is read back as written":  {},
		"every field of a candidate comes back":   {Candidate: filled(t)},
		"a made-up address is still known as one": {Candidate: filled(t), Dummy: true},
		"texts of any length come back":           {Candidate: input.Candidate{FirstName: string(make([]byte, 70_000))}},
		"entries without content are entries":     {Candidate: input.Candidate{Phones: make([]input.Phone, 3)}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := tasks.DecodePayload(want.Encode())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got, sameCandidate); diff != "" {
				t.Error(diff)
			}
		})
	}

	t.Run("anything cut short or too long is refused", func(t *testing.T) {
		t.Parallel()
		whole := tasks.Payload{Candidate: filled(t)}.Encode()
		for n := range whole {
			if _, err := tasks.DecodePayload(whole[:n]); err == nil {
				t.Errorf("%d of %d bytes are read without complaint", n, len(whole))
			}
		}
		if _, err := tasks.DecodePayload(append(whole, 0)); err == nil {
			t.Error("a byte too many is read without complaint")
		}
	})

	t.Run("another version is refused", func(t *testing.T) {
		t.Parallel()
		whole := tasks.Payload{Candidate: filled(t)}.Encode()
		whole[0]++
		if _, err := tasks.DecodePayload(whole); err == nil {
			t.Error("read without complaint")
		}
	})
}

// FuzzDecodePayload checks that every payload that can be read encodes to the same bytes.
func FuzzDecodePayload(f *testing.F) {
	f.Add([]byte{})
	f.Add(tasks.Payload{}.Encode())
	f.Add(tasks.Payload{Candidate: candidate("c-1"), Dummy: true}.Encode())
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := tasks.DecodePayload(data)
		if err != nil {
			return
		}
		again, err := tasks.DecodePayload(p.Encode())
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(p, again, sameCandidate); diff != "" {
			t.Error(diff)
		}
	})
}
