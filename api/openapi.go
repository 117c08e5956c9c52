package api

import (
	"encoding/json"
	"fmt"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/seekout/icims-export/tasks/input"
)

const (
	securityScheme = "apiKey"
	// Version is the API's version. It grows with each addition; a removal would make /v2.
	Version = "1.0.0"
)

var problemGoType = reflect.TypeFor[Problem]()

const apiDescription = `Exports sourced candidates into customers' iCIMS, each effectively once.

Send an API key with every request except health checks and this document: ` + "`Authorization: Bearer ixk_…`" + `. A key has scopes and may be limited to customers;
every scope includes ` + "`read`" + `, and ` + "`admin`" + ` includes all. Errors are ` + "`application/problem+json`" + ` with a stable ` + "`code`" + `, listed in docs/api.md.`

func humaConfig() huma.Config {
	ownErrors()
	json := huma.DefaultJSONFormat
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info: &huma.Info{
				Title: "icims-export", Version: Version, Description: apiDescription,
				License: &huma.License{Name: "See LICENSE", URL: "https://github.com/seekout/icims-export/blob/main/LICENSE"},
			},
			Servers: []*huma.Server{{URL: "http://127.0.0.1:8080", Description: "The default address of icims-export serve."}},
			Components: &huma.Components{
				Schemas: huma.NewMapRegistry("#/components/schemas/", schemaName),
				SecuritySchemes: map[string]*huma.SecurityScheme{
					securityScheme: {Type: "http", Scheme: "bearer", Description: "An API key, created with icims-export apikeys new."},
				},
			},
			Security: []map[string][]string{{securityScheme: {}}},
		},
		Formats:                      map[string]huma.Format{"application/json": json, "json": json},
		DefaultFormat:                "application/json",
		Transformers:                 []huma.Transformer{humaTimes},
		RejectUnknownQueryParameters: true,
	}
}

// schemaName returns the schema name of a type. Two Go types are called Problem.
func schemaName(t reflect.Type, hint string) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == reflect.TypeFor[input.Problem]() {
		return "RowProblem"
	}
	return huma.DefaultSchemaNamer(t, hint)
}

// specs is the OpenAPI document in two formats.
type specs struct {
	json, yaml []byte
	err        error
}

// OpenAPI returns the API's OpenAPI 3.1 document as YAML, in a stable order.
func (s *Server) OpenAPI() ([]byte, error) {
	spec := s.openAPISpecs()
	return spec.yaml, spec.err
}

func (s *Server) openAPISpecs() specs {
	s.openAPI.Do(func() {
		openResponses(s.huma.OpenAPI())
		var err error
		if s.spec.json, err = json.Marshal(s.huma.OpenAPI()); err == nil {
			s.spec.yaml, err = s.huma.OpenAPI().YAML()
		}
		if err != nil {
			s.spec.err = fmt.Errorf("write the OpenAPI document: %w", err)
		}
	})
	return s.spec
}

// openResponses allows unknown fields in responses, so that clients generated from this document
// accept later versions. Requests stay strict.
func openResponses(doc *huma.OpenAPI) {
	sent := map[*huma.Schema]bool{}
	for _, item := range doc.Paths {
		for _, o := range []*huma.Operation{item.Get, item.Put, item.Post, item.Delete, item.Patch} {
			if o == nil || o.RequestBody == nil {
				continue
			}
			for _, media := range o.RequestBody.Content {
				walk(media.Schema, doc.Components.Schemas, sent)
			}
		}
	}
	for _, schema := range doc.Components.Schemas.Map() {
		if schema.AdditionalProperties == false && !sent[schema] {
			schema.AdditionalProperties = nil
		}
	}
}

// walk marks a schema and all that it refers to.
func walk(schema *huma.Schema, registry huma.Registry, seen map[*huma.Schema]bool) {
	schema = resolved(schema, registry)
	if schema == nil || seen[schema] {
		return
	}
	seen[schema] = true
	for _, p := range schema.Properties {
		walk(p, registry, seen)
	}
	walk(schema.Items, registry, seen)
	walk(mapValues(schema), registry, seen)
	for _, some := range [][]*huma.Schema{schema.OneOf, schema.AnyOf, schema.AllOf} {
		for _, one := range some {
			walk(one, registry, seen)
		}
	}
}
