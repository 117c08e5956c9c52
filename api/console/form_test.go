package console

import (
	"html"
	"net/url"
	"regexp"
	"strings"
)

var (
	inputs    = regexp.MustCompile(`(?s)<input\b[^>]*>`)
	areasOf   = regexp.MustCompile(`(?s)<textarea\b([^>]*)>(.*?)</textarea>`)
	attribute = regexp.MustCompile(`([a-z-]+)="([^"]*)"`)
)

// fields returns what a browser would send for a page's forms, without buttons.
func fields(page string) url.Values {
	form := url.Values{}
	for _, input := range inputs.FindAllString(page, -1) {
		has := map[string]string{}
		for _, a := range attribute.FindAllStringSubmatch(input, -1) {
			has[a[1]] = html.UnescapeString(a[2])
		}
		choice := has["type"] == "checkbox" || has["type"] == "radio"
		if has["name"] != "" && (!choice || strings.Contains(input, " checked")) {
			form.Add(has["name"], has["value"])
		}
	}
	for _, area := range areasOf.FindAllStringSubmatch(page, -1) {
		for _, a := range attribute.FindAllStringSubmatch(area[1], -1) {
			if a[1] == "name" {
				form.Add(a[2], html.UnescapeString(area[2]))
			}
		}
	}
	return form
}
