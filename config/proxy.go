package config

import (
	"net/url"
	"strconv"
)

// ProxyURL is the address of an HTTP proxy, or empty. It prints without the password.
type ProxyURL string

// String returns the address without credentials.
func (u ProxyURL) String() string {
	if u == "" {
		return ""
	}
	p, err := url.Parse(string(u))
	if err != nil {
		return "[unreadable proxy URL]"
	}
	return p.Scheme + "://" + p.Host
}

// GoString keeps the password out of %#v.
func (u ProxyURL) GoString() string { return strconv.Quote(u.String()) }

// MarshalText keeps the password out of JSON.
func (u ProxyURL) MarshalText() ([]byte, error) { return []byte(u.String()), nil }
