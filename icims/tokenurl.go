package icims

import (
	"errors"
	"net/url"
	"strings"
)

// signInHosts are iCIMS's sign-in hosts (API sheet §2.2).
var signInHosts = map[string]bool{
	"https://login.icims.com":        true,
	"https://login.icims.eu":         true,
	"https://login.icims.ca":         true,
	"https://login-isv.icimsmco.net": true, // partners' sandboxes
}

// CheckTokenURL refuses a token endpoint that is neither iCIMS's nor at an origin allowed by allow:
// client secrets must not be sent there. Its error says what to change.
func CheckTokenURL(text string, allow HostPolicy) error {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http":
		return errors.New("it is not a complete URL; use one such as https://login.icims.com/oauth/token")
	case u.User != nil:
		return errors.New("remove the user and password before the @")
	case !signInHosts[origin(u)] && !allow.origins[origin(u)]:
		return errors.New("the host is not one of iCIMS's; use https://login.icims.com/oauth/token, login.icims.eu or login.icims.ca, or have the operator allow this origin in ICIMS_EXPORT_ICIMS_HOSTS")
	}
	return nil
}

// TokenURLOf returns the token endpoint of the region of an API root, or "" if unknown.
func TokenURLOf(root *url.URL) string { return tokenURLs[strings.ToLower(root.Hostname())] }

// regions maps API hosts to data regions (API sheet §1).
var regions = map[string]string{
	"https://api.icims.com":    "US",
	"https://api-eu.icims.com": "EU",
	"https://api-ca.icims.com": "CA",
}

// RegionOf returns the data region of an API root, "US", "EU" or "CA", or "" for a host that is not
// iCIMS's.
func RegionOf(root *url.URL) string { return regions[origin(root)] }
