package traces

import (
	"errors"
	"net/url"
	"strings"
)

// path is where collectors accept spans by OTLP over HTTP.
const path = "/v1/traces"

// ParseEndpoint returns the URL for spans below a collector's address. Its errors complete the
// sentence "the endpoint ..." and do not contain the address.
func ParseEndpoint(endpoint string) (string, error) {
	u, err := url.Parse(endpoint)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		return "", errors.New("is not an address such as http://127.0.0.1:4318")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return "", errors.New("must not contain user, query or fragment; set credentials in OTEL_EXPORTER_OTLP_HEADERS")
	}
	u.Path = strings.TrimSuffix(u.Path, "/")
	if !strings.HasSuffix(u.Path, path) {
		u.Path += path
	}
	return u.String(), nil
}
