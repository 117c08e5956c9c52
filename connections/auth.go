package connections

import (
	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store"
)

// Auth returns the authentication for the calls of a checked connection. It serves one client.
func Auth(c store.Connection) icims.Auth {
	switch c.Auth {
	case store.AuthHMAC:
		return icims.HMAC(c.Username, []byte(c.Password))
	case store.AuthOAuth:
		var options []icims.OAuthOption
		if c.TokenURL != "" {
			options = append(options, icims.OAuthTokenURL(c.TokenURL))
		}
		return icims.OAuth(c.Username, string(c.Password), options...)
	default:
		return icims.Basic(c.Username, string(c.Password))
	}
}
