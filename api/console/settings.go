package console

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/seekout/icims-export/api"
	"github.com/seekout/icims-export/store"
)

// setting describes a setting of a connection in a form.
type setting struct {
	// Name is the API's name, with dots for nesting.
	Name, Label, Help string
	Kind              settingKind
	// Step is the form's step, Group the part of the step.
	Step, Group string
	Min, Max    string // for numbers
}

// settingKind is the kind of input.
type settingKind string

const (
	kindText   settingKind = "text"
	kindNumber settingKind = "number"
	kindOther  settingKind = "" // placed individually
)

// The form's steps and groups.
const (
	stepCapabilities = "capabilities"
	stepCredentials  = "credentials"

	groupWritten   = "written"
	groupStatus    = "status"
	groupFolder    = "folder"
	groupLimits    = "limits"
	groupPositions = "positions"
	groupSchools   = "schools"
)

// settings are all settings of a connection except its password, in the order of the form.
var settings = []setting{
	{Name: "capabilities", Label: "Capabilities", Step: stepCapabilities},
	{Name: "source", Label: "Source", Help: "The source that iCIMS shows for people and workflows.", Kind: kindText, Step: stepCapabilities, Group: groupWritten},
	{Name: "missing_folder", Label: "People without a visible folder", Help: "Default: do not update their profiles, since they may be employees. Enter candidate to update them.", Kind: kindText, Step: stepCapabilities, Group: groupFolder},
	{Name: "linkedin_field", Label: "Field for the profile link", Help: "A custom URL field in the customer's iCIMS. If empty, links are not exported.", Kind: kindText, Step: stepCapabilities, Group: groupWritten},
	{Name: "dummy_email_domain", Label: "Domain of dummy email addresses", Help: "For exports that generate dummy addresses. Defaults to the service's domain.", Kind: kindText, Step: stepCapabilities, Group: groupWritten},
	{Name: "status.value", Label: "Status on a job, by its name", Help: "As shown in iCIMS's list of statuses.", Kind: kindText, Step: stepCapabilities, Group: groupStatus},
	{Name: "status.id", Label: "or by its number in iCIMS", Help: "Such as D10106. Remains valid if the status is renamed.", Kind: kindText, Step: stepCapabilities, Group: groupStatus},
	{Name: "folder.value", Label: "Folder of people, by its name", Help: "The folder of new people.", Kind: kindText, Step: stepCapabilities, Group: groupFolder},
	{Name: "folder.id", Label: "or by its number in iCIMS", Help: "Such as D32007.", Kind: kindText, Step: stepCapabilities, Group: groupFolder},

	{Name: "limits.calls_per_second", Label: "Calls per second", Help: "On average.", Kind: kindNumber, Step: stepCapabilities, Group: groupLimits, Min: "0", Max: "1000000"},
	{Name: "limits.burst", Label: "Burst", Kind: kindNumber, Step: stepCapabilities, Group: groupLimits, Min: "1", Max: "1000000"},
	{Name: "limits.in_flight", Label: "Concurrent calls", Kind: kindNumber, Step: stepCapabilities, Group: groupLimits, Min: "1", Max: "100000"},
	{Name: "limits.calls_per_day", Label: "Calls per day", Help: "Resets at midnight UTC.", Kind: kindNumber, Step: stepCapabilities, Group: groupLimits, Min: "1", Max: "1000000000"},
	{Name: "limits.express_reserve", Label: "Reserved for small batches, in percent", Help: "Share of the calls per day.", Kind: kindNumber, Step: stepCapabilities, Group: groupLimits, Min: "1", Max: "90"},

	{Name: "fields.work_experience.collection", Label: "Collection of positions", Kind: kindText, Step: stepCapabilities, Group: groupPositions},
	{Name: "fields.work_experience.employer", Label: "Employer", Kind: kindText, Step: stepCapabilities, Group: groupPositions},
	{Name: "fields.work_experience.title", Label: "Title", Kind: kindText, Step: stepCapabilities, Group: groupPositions},
	{Name: "fields.work_experience.start", Label: "Start", Kind: kindText, Step: stepCapabilities, Group: groupPositions},
	{Name: "fields.work_experience.end", Label: "End", Kind: kindText, Step: stepCapabilities, Group: groupPositions},
	{Name: "fields.education.collection", Label: "Collection of schools", Kind: kindText, Step: stepCapabilities, Group: groupSchools},
	{Name: "fields.education.school", Label: "School", Kind: kindText, Step: stepCapabilities, Group: groupSchools},
	{Name: "fields.education.degree", Label: "Degree", Kind: kindText, Step: stepCapabilities, Group: groupSchools},

	{Name: "auth", Label: "Authentication", Step: stepCredentials},
	{Name: "username", Label: "Username", Step: stepCredentials},
	{Name: "token_url", Label: "Token URL", Step: stepCredentials},
	{Name: "portal_urls", Label: "Job portals", Step: stepCredentials},
}

// labelOf returns the label of an API field.
func labelOf(field string) string {
	for _, s := range settings {
		if s.Name == field || strings.HasPrefix(s.Name, field+".") {
			label, _, _ := strings.Cut(s.Label, ", by its")
			return label
		}
	}
	switch field {
	case "customer":
		return "Customer ID"
	case "why":
		return "Reason"
	case "password":
		return "Password"
	}
	return field
}

// stepOf returns the form's step with an API field.
func stepOf(field string) string {
	for _, s := range settings {
		if s.Name == field || strings.HasPrefix(s.Name, field+".") {
			return s.Step
		}
	}
	return stepCredentials
}

// flatten returns the settings by name, as a form shows them. Settings that are not set are left
// out.
func flatten(s api.ConnectionSettings) (map[string]string, error) {
	text, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("encode settings: %w", err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var nested map[string]any
	if err := decoder.Decode(&nested); err != nil {
		return nil, fmt.Errorf("decode settings: %w", err)
	}
	flat := map[string]string{}
	flattenInto(flat, "", nested)
	if urls, ok := flat["portal_urls"]; ok {
		flat["portal_urls"] = onePerLine(urls)
	}
	return flat, nil
}

func flattenInto(flat map[string]string, prefix string, nested map[string]any) {
	for name, value := range nested {
		if group, ok := value.(map[string]any); ok {
			flattenInto(flat, prefix+name+".", group)
			continue
		}
		flat[prefix+name] = fmt.Sprint(value)
	}
}

// nest returns the API's body for the form's values, and the problems of values that cannot be
// encoded.
func nest(flat map[string]string) (map[string]any, []api.FieldProblem) {
	body := map[string]any{}
	var wrong []api.FieldProblem
	for _, s := range settings {
		text := flat[s.Name]
		if text == "" {
			continue
		}
		var value any = text
		switch {
		case s.Name == "portal_urls":
			value = strings.Join(strings.Fields(strings.ReplaceAll(text, ",", " ")), ", ")
		case s.Kind == kindNumber:
			if _, err := strconv.ParseFloat(text, 64); err != nil || !json.Valid([]byte(text)) {
				wrong = append(wrong, api.FieldProblem{Field: s.Name, Problem: "must be a number", Remedy: "Enter a number or leave the field empty"})
				continue
			}
			value = json.Number(text)
		}
		place := body
		path := strings.Split(s.Name, ".")
		for _, name := range path[:len(path)-1] {
			group, ok := place[name].(map[string]any)
			if !ok {
				group = map[string]any{}
				place[name] = group
			}
			place = group
		}
		place[path[len(path)-1]] = value
	}
	return body, wrong
}

// onePerLine splits the API's comma-separated portal URLs into lines.
func onePerLine(urls string) string {
	return strings.Join(strings.FieldsFunc(urls, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' || r == '\r' }), "\n")
}

// defaultSettings are the values of settings that are not set.
var defaultSettings = map[string]string{
	"auth": string(store.AuthBasic), "capabilities": store.CanExport, "source": store.DefaultSource, "status.value": store.DefaultStatus, "folder.id": store.DefaultFolder,
	"limits.calls_per_second": strconv.Itoa(store.DefaultCallsPerSecond), "limits.burst": strconv.Itoa(store.DefaultBurst), "limits.in_flight": strconv.Itoa(store.DefaultInFlight),
	"limits.calls_per_day": strconv.Itoa(store.DefaultCallsPerDay), "limits.express_reserve": strconv.Itoa(store.DefaultExpressReserve),
	"fields.work_experience.collection": "workexperience", "fields.work_experience.employer": "workemployer", "fields.work_experience.title": "worktitle",
	"fields.work_experience.start": "workstartdate", "fields.work_experience.end": "workenddate",
	"fields.education.collection": "education", "fields.education.school": "school", "fields.education.degree": "degree",
}

// difference is a setting with conflicting values of two users.
type difference struct{ Label, Now, Yours string }

// differences compares the current settings with those of a form.
func differences(now, yours map[string]string) []difference {
	var list []difference
	for _, s := range settings {
		if now[s.Name] != yours[s.Name] && (s.Name != "portal_urls" || onePerLine(now[s.Name]) != onePerLine(yours[s.Name])) {
			list = append(list, difference{s.Label, now[s.Name], yours[s.Name]})
		}
	}
	return list
}

// shownSetting is a setting in a list.
type shownSetting struct {
	Label, Value string
	Default      bool
}

// shownSettings lists the effective settings, and marks defaults.
func shownSettings(c api.Connection) ([]shownSetting, error) {
	given, err := flatten(c.Settings)
	if err != nil {
		return nil, err
	}
	used, err := flatten(c.InUse)
	if err != nil {
		return nil, err
	}
	var list []shownSetting
	for _, s := range settings {
		value, ok := used[s.Name]
		if !ok || slices.Contains([]string{"portal_urls", "auth", "username"}, s.Name) { // the page shows these separately
			continue
		}
		_, own := given[s.Name]
		label, by, _ := strings.Cut(s.Label, ", by its")
		if strings.HasPrefix(label, "or by") {
			label, by = labelOf(strings.TrimSuffix(s.Name, ".id")), "number"
		}
		if by == "number" {
			label += " (number in iCIMS)"
		}
		if s.Group == groupPositions || s.Group == groupSchools {
			label = "Field for " + strings.ToLower(label[:1]) + label[1:]
		}
		list = append(list, shownSetting{label, value, !own})
	}
	return list, nil
}
