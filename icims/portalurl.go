package icims

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
)

// PortalURL is a job portal from a customer's settings.
type PortalURL struct {
	// Root is the origin of the API, for [New].
	Root     *url.URL
	Customer string
	// Portal is the portal's ID or name.
	Portal string
}

// String returns the URL in canonical form.
func (p PortalURL) String() string {
	return p.Root.String() + "/customers/" + p.Customer + "/search/portals/" + url.PathEscape(p.Portal) + "?staleness=0"
}

// portalForm is the expected form of a portal URL; most error messages end with it.
const portalForm = "https://api.icims.com/customers/{customerId}/search/portals/{jobPortalId}?staleness=0"

// PortalURLError refuses a job portal URL. Its text says what to change. It does not contain the
// URL, which may hold a password.
type PortalURLError struct {
	// Index counts the URLs from 1; 0 means all of them.
	Index int
	// Code is stable and machine-readable, for example "placeholder".
	Code string
	// Message is a sentence that says what is wrong and what to change.
	Message string
}

func (e *PortalURLError) Error() string {
	if e.Index == 0 {
		return "job portal URLs: " + e.Message
	}
	return fmt.Sprintf("job portal URL %d: %s", e.Index, e.Message)
}

// ParsePortalURLs parses one or more job portal URLs, separated by commas or line breaks. All must
// have the same origin, allowed by allow, and the same customer. Duplicates are dropped. It fails
// with a *[PortalURLError].
func ParsePortalURLs(text string, allow HostPolicy) ([]PortalURL, error) {
	var list []PortalURL
	seen := map[string]bool{}
	index := 0
	for entry := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ',' || r == '\n' || r == '\r' }) {
		if entry = strings.TrimSpace(entry); entry == "" {
			continue
		}
		index++
		p, code, message := parsePortalURL(entry, allow)
		if code == "" && len(list) > 0 {
			switch first := list[0]; {
			case p.Root.String() != first.Root.String():
				code, message = "mixed_hosts", "all URLs must be on the same host as the first one; make a second connection for another region"
			case p.Customer != first.Customer:
				code, message = "mixed_customers", "the customer id differs from that of the first URL; a connection serves one customer, so correct the number after /customers/ or make a second connection"
			}
		}
		if code != "" {
			return nil, &PortalURLError{index, code, message}
		}
		if key := p.String(); !seen[key] {
			seen[key] = true
			list = append(list, p)
		}
	}
	if len(list) == 0 {
		return nil, &PortalURLError{0, "missing", "enter at least one, in the form " + portalForm}
	}
	return list, nil
}

// ParsePortalURLsOf is ParsePortalURLs for the portals of a known customer.
func ParsePortalURLsOf(customer, text string, allow HostPolicy) ([]PortalURL, error) {
	list, err := ParsePortalURLs(text, allow)
	if err != nil {
		return nil, err
	}
	if list[0].Customer != customer {
		return nil, &PortalURLError{0, "other_customer", "the number after /customers/ is not this connection's customer ID; correct one of them"}
	}
	return list, nil
}

var (
	portalName  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9 ._~-]{0,127}$`)
	placeholder = regexp.MustCompile(`(?i)[{}<>\[\]]|%7b|%7d|%3c|%3e|/(customerid|jobportalid|portalid)(/|\?|$)`)
)

func parsePortalURL(entry string, allow HostPolicy) (p PortalURL, code, message string) {
	u, err := url.Parse(entry)
	switch {
	case placeholder.MatchString(pathOf(entry)):
		return p, "placeholder", "it contains a placeholder; replace {customerId} and {jobPortalId} with your iCIMS numbers"
	case err != nil || u.Host == "" || u.Opaque != "":
		return p, "malformed", "it is not a complete URL; use the form " + portalForm
	case u.User != nil:
		return p, "user_in_url", "remove the user and password before the @; enter them in their own fields"
	case !allow.Allows(u) && u.Scheme != "https":
		return p, "not_https", "it must start with https://, so that the password is encrypted"
	case !allow.Allows(u):
		return p, "not_icims", "the host is not one of iCIMS's; use api.icims.com or api-eu.icims.com, or have the operator allow this origin in ICIMS_EXPORT_ICIMS_HOSTS"
	}
	segments := strings.Split(strings.TrimSuffix(strings.TrimPrefix(u.EscapedPath(), "/"), "/"), "/")
	if len(segments) != 5 || segments[0] != "customers" || segments[2] != "search" || segments[3] != "portals" {
		return p, "wrong_path", "the path must be /customers/{customerId}/search/portals/{jobPortalId}, in lower case"
	}
	if !isNumber(segments[1]) {
		return p, "wrong_customer", "the part after /customers/ must be the customer ID, digits only"
	}
	portal, err := url.PathUnescape(segments[4])
	if err != nil || !portalName.MatchString(portal) {
		return p, "wrong_portal", "the part after /search/portals/ must be the ID or name of one job portal"
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil || len(query) > 1 || len(query) == 1 && !query.Has("staleness") || u.Fragment != "" {
		return p, "extra_parameters", "only ?staleness=0 may follow the portal; remove the rest"
	}
	root, err := url.Parse(origin(u))
	if err != nil {
		return p, "malformed", "it is not a complete URL; use the form " + portalForm
	}
	return PortalURL{Root: root, Customer: segments[1], Portal: portal}, "", ""
}

// pathOf returns what follows the host, approximately. Brackets in the host belong to an IPv6
// address.
func pathOf(entry string) string {
	if _, rest, ok := strings.Cut(entry, "://"); ok {
		entry = rest
	}
	if i := strings.IndexByte(entry, '/'); i >= 0 {
		return entry[i:]
	}
	return ""
}
