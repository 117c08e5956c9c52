package icimstest

import (
	"net/http"
	"slices"
)

func customerGet(c *call) answer {
	t := c.tenant
	self := c.base + "/customers/" + t.cfg.Customer
	a := ok(map[string]any{"id": atoi(t.cfg.Customer), "name": t.cfg.Name,
		"platformUrl": "customer" + t.cfg.Customer + ".icims.com", "customerType": "test", "buildVersion": "12.1"})
	a.header = append(a.header, [2]string{"X-Customer-Type", "test"})
	for _, kind := range []string{"people", "jobs", "companies", "talentpools"} {
		a.header = append(a.header, [2]string{"Link", "<" + self + "/" + kind + `>;rel="profiles";title="` + kind + `"`})
	}
	return a
}

// property returns the JSON Schema of a field.
func (f *field) property() map[string]any {
	p := map[string]any{"title": f.title}
	str := map[string]any{"type": "string"}
	listNode := map[string]any{"id": str, "value": str, "formattedvalue": str}
	switch f.kind {
	case kindNumber:
		p["type"] = "number"
	case kindDate:
		p["type"], p["format"] = "string", "date"
	case kindDateTime:
		p["type"], p["format"] = "string", "date-time"
	case kindNode:
		p["type"], p["properties"] = "object", listNode
	case kindNodes:
		p["type"], p["items"] = "array", map[string]any{"type": "object", "properties": listNode}
	case kindFile:
		p["type"], p["properties"] = "object", map[string]any{"filename": str, "file": str}
	case kindCollection:
		children := map[string]any{"entry": map[string]any{"type": "integer"}}
		if f.primary {
			children["primary"] = map[string]any{"type": "boolean"}
		}
		for _, name := range f.order {
			children[name] = f.children[name].property()
		}
		p["type"], p["items"] = "array", map[string]any{"type": "object", "properties": children}
	default:
		p["type"] = "string"
		if f.max > 0 {
			p["maxLength"] = f.max
		}
	}
	return p
}

// properties returns the schemas of every field of a type that the account sees.
func (t *Tenant) properties(kind string) map[string]any {
	out := map[string]any{}
	profile := func(title string) map[string]any {
		return map[string]any{"title": title, "type": "object", "properties": map[string]any{
			"id": map[string]any{"type": "integer"}, "value": map[string]any{"type": "string"}, "profile": map[string]any{"type": "string"}}}
	}
	switch kind {
	case "person":
		for name, f := range t.fields {
			out[name] = f.property()
		}
	case "submittal":
		for name, f := range workflowFields() {
			out[name] = f.property()
		}
		out["baseprofile"], out["associatedprofile"] = profile("Job"), profile("Person")
	case "job":
		for _, f := range []*field{text("jobtitle", "Job Title", 0), text("jobid", "Job ID", 0), nodeOf("folder", "Job Folder", ""),
			nodeOf("positioncategory", "Category", ""), {name: "numberofpositions", title: "Openings", kind: kindNumber}} {
			out[f.name] = f.property()
		}
		out["joblocation"] = profile("Location")
	default:
		return nil
	}
	for _, name := range t.cfg.HiddenFields {
		delete(out, name)
	}
	return out
}

var schemaTypes = []string{"person", "job", "company", "submittal", "source", "sourceworkflow", "onboard", "onboardworkflow", "room", "connectevent"}

func schemaGet(c *call) answer {
	kind := c.arg("type")
	if !slices.Contains(schemaTypes, kind) {
		return notFound("Schema")
	}
	c.tenant.mu.RLock()
	defer c.tenant.mu.RUnlock()
	props := c.tenant.properties(kind)
	if props == nil {
		props = map[string]any{}
	}
	return answer{status: http.StatusOK, body: map[string]any{"$schema": "http://json-schema.org/draft-04/schema#", "title": kind, "type": "object", "properties": props}}
}

func schemaField(c *call) answer {
	c.tenant.mu.RLock()
	defer c.tenant.mu.RUnlock()
	p := c.tenant.properties(c.arg("type"))[c.arg("field")]
	if p == nil {
		return notFound("Field")
	}
	return ok(p)
}
