package console

import (
	"errors"
	"net/http"
	"net/url"
	"strings"

	"github.com/seekout/icims-export/api"
	"github.com/seekout/icims-export/store"
)

const loginPath = "/login"

func (c *Console) registerLogin() {
	c.mux.HandleFunc("GET "+loginPath, c.showLogin)
	c.mux.HandleFunc("POST "+loginPath, c.login)
	c.mux.HandleFunc("POST /logout", c.logout)
}

// loginForm is the data of the login page.
type loginForm struct {
	Next    string
	Why     string
	Refused *Refusal
}

func (c *Console) showLogin(w http.ResponseWriter, r *http.Request) {
	v := &visit{Console: c, w: w, r: r}
	form := loginForm{Next: localPath(r.URL.Query().Get("next")), Why: r.URL.Query().Get("why")}
	v.write(http.StatusOK, "login", "layout", v.frame("Log in", form))
}

// login checks the key with the API.
func (c *Console) login(w http.ResponseWriter, r *http.Request) {
	v := &visit{Console: c, w: w, r: r}
	if r.ContentLength < 0 || r.ContentLength > api.SmallForm {
		v.fail(&Refusal{Status: http.StatusRequestEntityTooLarge, Problem: api.Problem{Title: "the request is too large", Detail: "Reload the page and enter the API key."}})
		return
	}
	form := loginForm{Next: localPath(r.PostFormValue("next"))}
	v.token = strings.TrimSpace(r.PostFormValue("key"))
	err := v.get("/v1/whoami", nil, &v.Who)
	if refused, ok := refusalOf(err); ok {
		form.Refused = refused
		if refused.Status == http.StatusUnauthorized {
			form.Why = "refused"
		}
		v.refuse(refused, "login", "layout", v.frame("Log in", form))
		return
	}
	if err == nil {
		err = v.begin(v.token)
	}
	if err != nil {
		v.fail(err)
		return
	}
	http.Redirect(w, r, form.Next, http.StatusSeeOther)
}

func (c *Console) logout(w http.ResponseWriter, r *http.Request) {
	v := &visit{Console: c, w: w, r: r}
	if s, ok := c.sessionOf(r); ok {
		if err := c.API.Ledger.Access.EndSession(r.Context(), s.ID); err != nil && !errors.Is(err, store.ErrNoSession) {
			c.Log.Error().Str("key", s.Who.Key).Str("session", s.ID).Msg("log-out failed: Redis does not respond; the session stays open until it is idle")
			v.forget()
			v.fail(unavailable(err))
			return
		}
	}
	v.forget()
	http.Redirect(w, r, "/login?why=left", http.StatusSeeOther)
}

// localPath returns the address if it is within this console, and the first page otherwise, so that
// a login never leads to another site.
func localPath(address string) string {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "" || u.Host != "" || u.Opaque != "" || !strings.HasPrefix(address, "/") ||
		strings.HasPrefix(address, "//") || strings.ContainsAny(address, "\\\r\n\t") || strings.HasPrefix(u.Path, "/login") {
		return "/"
	}
	return u.RequestURI()
}
