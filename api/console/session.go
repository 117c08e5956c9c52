package console

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/seekout/icims-export/api"
	"github.com/seekout/icims-export/store"
)

const (
	// sessionTime is the maximum duration of a session.
	sessionTime = 12 * time.Hour
	// DefaultIdle is how long an unused session lasts.
	DefaultIdle = time.Hour
)

const (
	sessionCookie = "icims_export_session"
	// secureCookie is its name over TLS, which browsers accept only over TLS.
	secureCookie   = "__Host-" + sessionCookie
	customerCookie = "icims_export_customer"
	// sealPurpose binds the sealed cookie to its purpose.
	sealPurpose = "console:session"
)

// session is the sealed content of the cookie. Only the cookie contains the API key. The record in
// Redis says whether the session is valid.
type session struct {
	ID    string    `json:"id"`
	Token string    `json:"token"`
	Until time.Time `json:"until"`
	// Who is the user at login, without the customers, which may be many. It fills the frame of a
	// page if the API does not respond.
	Who api.WhoAmI `json:"who"`
}

// sessionOf opens the request's session cookie.
func (c *Console) sessionOf(r *http.Request) (session, bool) {
	cookie, err := r.Cookie(c.cookieName(r))
	if err != nil {
		return session{}, false
	}
	sealed, err := base64.RawURLEncoding.DecodeString(cookie.Value)
	if err != nil {
		return session{}, false
	}
	text, err := c.Keys.Open(sealed, sealPurpose)
	if err != nil {
		return session{}, false
	}
	var s session
	if json.Unmarshal(text, &s) != nil || !c.Now().Before(s.Until) {
		return session{}, false
	}
	return s, true
}

// begin starts a session with an API key.
func (v *visit) begin(token string) error {
	now := v.Now()
	kept, err := v.API.Ledger.Access.NewSession(v.r.Context(), store.Session{
		Key: v.Who.Key, Name: v.Who.Name, Address: v.API.Address(v.r), Began: now, Until: now.Add(sessionTime), IdleSeconds: int64(v.Idle / time.Second),
	})
	if err != nil {
		v.Log.Error().Str("key", v.Who.Key).Msg("log-in failed: the session could not be recorded in Redis")
		return unavailable(err)
	}
	who := v.Who
	who.Customers = nil
	text, err := json.Marshal(session{kept.ID, token, kept.Until, who})
	if err != nil {
		return err
	}
	sealed, err := v.Keys.Seal(text, sealPurpose)
	if err != nil {
		return err
	}
	http.SetCookie(v.w, v.cookie(v.cookieName(v.r), base64.RawURLEncoding.EncodeToString(sealed), int(sessionTime.Seconds())))
	return nil
}

// checkSession returns store.ErrNoSession if the session has ended. touch counts as use.
func (c *Console) checkSession(ctx context.Context, s session, touch bool) error {
	kept, err := c.API.Ledger.Access.UseSession(ctx, s.ID, c.Now(), touch)
	if err == nil && kept.Key != s.Who.Key {
		return store.ErrNoSession
	}
	return err
}

// isBackground reports whether the page made the request on its own, to refresh a part or follow a
// stream. Typing into a search field counts as use.
func isBackground(r *http.Request) bool {
	typed := strings.HasPrefix(r.Header.Get("HX-Source"), "input")
	return r.Method == http.MethodGet && (r.Header.Get("HX-Request") == "true" && !typed ||
		strings.Contains(r.Header.Get("Accept"), "text/event-stream") || strings.HasPrefix(r.URL.Path, MonitoringPath+"/api/"))
}

// whileLoggedIn returns the request with a context that ends when the session ends or its API key
// becomes invalid. A running upload or download counts as use; a stream of events does not.
func (v *visit) whileLoggedIn() (*http.Request, func()) {
	s, touch, who := v.session, false, "session "+v.session.ID
	if !isBackground(v.r) {
		touch, who = true, who+" in use"
	}
	return v.API.WhileAllowed(v.r, who, func(ctx context.Context) error {
		err := v.checkSession(ctx, s, touch)
		if errors.Is(err, store.ErrNoSession) {
			return &api.AccessEndedError{Detail: "The console session has ended."}
		}
		if err != nil {
			return err
		}
		return v.API.KeyGood(ctx, s.Token, s.Who.Expires)
	})
}

// forget ends the session.
func (v *visit) forget() {
	http.SetCookie(v.w, v.cookie(v.cookieName(v.r), "", -1))
	http.SetCookie(v.w, v.cookie(customerCookie, "", -1))
}

// remember stores the customer for pages without one.
func (v *visit) remember(customer string) {
	if last, err := v.r.Cookie(customerCookie); err != nil || last.Value != customer {
		http.SetCookie(v.w, v.cookie(customerCookie, customer, int(sessionTime.Seconds())))
	}
}

func (v *visit) cookie(name, value string, age int) *http.Cookie {
	return &http.Cookie{ //nolint:gosec // Secure if possible
		Name: name, Value: value, Path: "/", MaxAge: age, HttpOnly: true, SameSite: http.SameSiteStrictMode,
		Secure: v.API.Encrypted(v.r), // browsers refuse it over plain HTTP
	}
}

func (c *Console) cookieName(r *http.Request) string {
	if c.API.Encrypted(r) {
		return secureCookie
	}
	return sessionCookie
}
