package icims

import (
	"encoding/json"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNamesOfABody(t *testing.T) {
	type node struct {
		ID    string `json:"id"`
		Label string `json:"Value,omitempty"`
	}
	tests := []struct {
		name string
		body any
	}{
		{"plain values", Fields{"email": "x", "age": 1, "big": int64(2), "share": 0.5, "open": true, "gone": nil}},
		{"fields within fields", Fields{"folder": Fields{"ID": "D1"}}},
		{"entries of a collection", Fields{"phones": []Fields{{"phonetype": Fields{"Value": "Mobile"}}, {"phonenumber": "1"}}}},
		{"maps and lists without a name", Fields{"a": map[string]any{"B": []any{map[string]any{"C": 1}, "D", nil}}}},
		{"maps of text", Fields{"a": map[string]string{"B": "C"}}},
		{"lists of text", Fields{"a": []string{"B"}}},
		{"structs, by the names they are written with", Fields{"a": node{"1", "x"}, "b": &node{ID: "2"}, "c": []node{{}}}},
		{"numbers and JSON kept as text", Fields{"a": json.Number("1"), "b": json.RawMessage(`{"C":[{"D":1}]}`)}},
		{"names beyond ASCII", Fields{"É": 1, "é": 2}},
	}
	for _, tt := range tests {
		t.Run(tt.name+": those that are sent", func(t *testing.T) {
			data, err := json.Marshal(tt.body)
			if err != nil {
				t.Fatal(err)
			}
			var doc any
			if err := json.Unmarshal(data, &doc); err != nil {
				t.Fatal(err)
			}
			var want, got []string
			walk(doc, func(name string) { want = append(want, name) }, func(string) {})
			if err := eachName(tt.body, func(name string) { got = append(got, name) }); err != nil {
				t.Fatal(err)
			}
			slices.Sort(want)
			slices.Sort(got)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
	for name, v := range map[string]any{"a channel": make(chan int), "no number": []float64{math.NaN()}} {
		t.Run(name+" cannot be written", func(t *testing.T) {
			if err := fieldsBody(opCreatePerson, Fields{"a": []any{Fields{"b": v}}}); ReasonOf(err) != ReasonBadRequest {
				t.Errorf("got %v", err)
			}
		})
	}
}
