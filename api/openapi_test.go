package api

import (
	"bytes"
	"flag"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "rewrite the generated files")

func TestOpenAPIDocumentIsUpToDate(t *testing.T) {
	got, err := newRig(t).OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	const file = "openapi.yaml"
	if *update {
		if err := os.WriteFile(file, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("api/openapi.yaml is not what the routes say: run make openapi, and look at what changes for callers")
	}
	again, err := newRig(t).OpenAPI()
	if err != nil || !bytes.Equal(got, again) {
		t.Errorf("the document is in another order each time (%v)", err)
	}
}
