package icimstest

import (
	"net/http"
	"net/url"
	"strings"
)

// Route is one call that iCIMS supports. Section is the section of the API sheet it is based on.
type Route struct {
	Name    string `json:"name"`
	Method  string `json:"method"`
	Pattern string `json:"pattern"`
	Section string `json:"section"`
}

// Routes lists every call the simulator supports.
func Routes() []Route {
	out := make([]Route, len(routeTable))
	for i, r := range routeTable {
		out[i] = r.Route
	}
	return out
}

type route struct {
	Route
	handle   func(*call) answer
	segments []string
}

const customerPath = "/customers/{customer}"

var (
	routeTable = newRouteTable()
	routeNames = newRouteNames()
)

func newRouteNames() map[string]bool {
	names := make(map[string]bool, len(routeTable))
	for _, r := range routeTable {
		names[r.Name] = true
	}
	return names
}

func newRouteTable() []*route {
	const (
		person   = customerPath + "/people/{person}"
		workflow = customerPath + "/applicantworkflows"
		search   = customerPath + "/search"
		schema   = customerPath + "/profiledefinitions/v1/{type}"
	)
	r := func(name, method, pattern, section string, handle func(*call) answer) *route {
		return &route{Route: Route{name, method, pattern, section}, handle: handle, segments: strings.Split(pattern[1:], "/")}
	}
	// Literal segments come before placeholders of the same shape: the first match wins.
	return []*route{
		r("oauth.token", "POST", "/oauth/token", "2.2", oauthToken),
		r("customers.get", "GET", customerPath, "10", customerGet),

		r("people.create", "POST", customerPath+"/people", "5.2", peopleCreate),
		r("people.get", "GET", person, "5.1", peopleGet),
		r("people.patch", "PATCH", person, "5.5", peoplePatch),
		r("files.get", "GET", person+"/fields/{field}/binary", "5.8", fileGet),
		r("files.patch", "PATCH", person+"/fields/{field}/binary", "5.8", filePatch),
		r("files.delete", "DELETE", person+"/fields/{field}/binary", "5.8", fileDelete),
		r("files.text", "GET", person+"/fields/{field}/text", "5.8", fileText),
		r("collections.add", "POST", person+"/fields/{field}", "5.7", collectionsAdd),
		r("collections.get", "GET", person+"/fields/{field}/{entry}", "5.7", collectionsGet),
		r("collections.patch", "PATCH", person+"/fields/{field}/{entry}", "5.7", collectionsPatch),
		r("collections.delete", "DELETE", person+"/fields/{field}/{entry}", "5.7", collectionsDelete),

		r("search.results_schema", "GET", search+"/resultsSchema", "7", searchResultsSchema),
		r("search.filters_schema", "GET", search+"/filtersSchema", "7", searchFiltersSchema),
		r("search.people", "POST", search+"/people", "7", searchPeople),
		r("search.people.query", "GET", search+"/people", "7", searchPeople),
		r("search.jobs", "POST", search+"/jobs", "7", searchJobs),
		r("search.jobs.query", "GET", search+"/jobs", "7", searchJobs),
		r("search.applicantworkflows", "POST", search+"/applicantworkflows", "7", searchWorkflows),
		r("search.applicantworkflows.query", "GET", search+"/applicantworkflows", "7", searchWorkflows),

		r("portals.search", "GET", search+"/portals/{portal}", "8", portalsSearch),
		r("portals.search.post", "POST", search+"/portals/{portal}", "8", portalsSearch),
		r("portals.filters", "GET", search+"/portals/{portal}/filters", "8", portalsFilters),
		r("portals.job", "GET", customerPath+"/portals/{portal}/{job}", "8", portalsJob),
		r("jobs.get", "GET", customerPath+"/jobs/{job}", "8", jobsGet),

		r("workflows.create", "POST", workflow, "9.1", workflowsCreate),
		r("workflows.pair", "GET", workflow+"/person/{person}/job/{job}", "9.3", workflowsPair),
		r("workflows.log", "GET", workflow+"/{workflow}/submittalstatuslog", "9.3", workflowsLog),
		r("workflows.get", "GET", workflow+"/{workflow}", "9.3", workflowsGet),
		r("workflows.patch", "PATCH", workflow+"/{workflow}", "9.3", workflowsPatch),

		r("lists.index", "GET", customerPath+"/v2/lists", "10", listsIndex),
		r("lists.get", "GET", customerPath+"/v2/lists/{list}", "10", listsGet),
		r("schema.get", "GET", schema+"/schema", "10", schemaGet),
		r("schema.field", "GET", schema+"/{field}/schema", "10", schemaField),
	}
}

// splitPath splits an escaped path into decoded segments.
func splitPath(escaped string) []string {
	parts := strings.Split(strings.TrimPrefix(escaped, "/"), "/")
	for i, p := range parts {
		if strings.Contains(p, "%") {
			if s, err := url.PathUnescape(p); err == nil {
				parts[i] = s
			}
		}
	}
	return parts
}

// match returns the route of a call. pathKnown distinguishes a wrong method (405) from a wrong path
// (404).
func match(method string, path []string) (found *route, pathKnown bool) {
	for _, r := range routeTable {
		if !r.fits(path) {
			continue
		}
		pathKnown = true
		if r.Method == method {
			return r, true
		}
	}
	return nil, pathKnown
}

func (r *route) fits(path []string) bool {
	if len(path) != len(r.segments) {
		return false
	}
	for i, s := range r.segments {
		if s[0] == '{' {
			if path[i] == "" {
				return false
			}
		} else if s != path[i] {
			return false
		}
	}
	return true
}

// arg returns the value of a placeholder, or "" if the route does not have it.
func (c *call) arg(name string) string {
	for i, s := range c.route.segments {
		if len(s) == len(name)+2 && s[1:len(s)-1] == name {
			return c.path[i]
		}
	}
	return ""
}

func writes(method string) bool {
	return method == http.MethodPost || method == http.MethodPatch || method == http.MethodPut
}
