package console

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"time"

	"github.com/seekout/icims-export/api"
)

// sessionTime is how long a person stays logged in.
const sessionTime = 12 * time.Hour

const (
	sessionCookie = "icims_export_session"
	// secureCookie is its name over TLS: browsers take it from nowhere else then.
	secureCookie   = "__Host-" + sessionCookie
	customerCookie = "icims_export_customer"
	// sessionPlace binds what is sealed to its purpose.
	sessionPlace = "console:session"
)

// session is what the cookie holds, sealed.
type session struct {
	Token string    `json:"token"`
	Until time.Time `json:"until"`
	// Who it was at the log-in, without the customers, of which there may be many: for
	// the frame of a page where the API does not say.
	Who api.WhoAmI `json:"who"`
}

// sessionOf opens the request's cookie.
func (c *Console) sessionOf(r *http.Request) (session, bool) {
	cookie, err := r.Cookie(c.cookieName(r))
	if err != nil {
		return session{}, false
	}
	sealed, err := base64.RawURLEncoding.DecodeString(cookie.Value)
	if err != nil {
		return session{}, false
	}
	text, err := c.Keys.Open(sealed, sessionPlace)
	if err != nil {
		return session{}, false
	}
	var s session
	if json.Unmarshal(text, &s) != nil || !c.Now().Before(s.Until) {
		return session{}, false
	}
	return s, true
}

// begin logs the person in with an API key.
func (v *visit) begin(token string) error {
	who := v.Who
	who.Customers = nil
	text, err := json.Marshal(session{token, v.Now().Add(sessionTime), who})
	if err != nil {
		return err
	}
	sealed, err := v.Keys.Seal(text, sessionPlace)
	if err != nil {
		return err
	}
	http.SetCookie(v.w, v.cookie(v.cookieName(v.r), base64.RawURLEncoding.EncodeToString(sealed), int(sessionTime.Seconds())))
	return nil
}

// forget logs the person out.
func (v *visit) forget() {
	http.SetCookie(v.w, v.cookie(v.cookieName(v.r), "", -1))
	http.SetCookie(v.w, v.cookie(customerCookie, "", -1))
}

// remember keeps the customer for pages that are of none.
func (v *visit) remember(customer string) {
	if last, err := v.r.Cookie(customerCookie); err != nil || last.Value != customer {
		http.SetCookie(v.w, v.cookie(customerCookie, customer, int(sessionTime.Seconds())))
	}
}

func (v *visit) cookie(name, value string, age int) *http.Cookie {
	return &http.Cookie{ //nolint:gosec // Secure wherever it can be
		Name: name, Value: value, Path: "/", MaxAge: age, HttpOnly: true, SameSite: http.SameSiteStrictMode,
		Secure: v.API.Encrypted(v.r), // over plain HTTP browsers would not keep it
	}
}

func (c *Console) cookieName(r *http.Request) string {
	if c.API.Encrypted(r) {
		return secureCookie
	}
	return sessionCookie
}
