package icims

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
)

// secrets must not appear in anything a call returns: credentials, what was sent, and what a server
// may repeat of it.
var secrets = []string{
	"pass-word", base64.StdEncoding.EncodeToString([]byte("integration:pass-word")), "aW50ZWdyYXRpb24",
	"Ana", "Duarte", "ana.duarte", "example.com", "555 0143", "s3cret", "searchJson", "token=",
}

// wantDiscreet prints v with every verb and looks for secrets.
func wantDiscreet(t *testing.T, v any) {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	all := string(data)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q"} {
		all += "\n" + fmt.Sprintf(verb, v)
	}
	if err, ok := v.(error); ok {
		all += "\n" + fmt.Errorf("wrapped: %w", err).Error()
		for cause := errors.Unwrap(err); cause != nil; cause = errors.Unwrap(cause) {
			all += fmt.Sprintf("\n%v %+v %#v", cause, cause, cause)
		}
	}
	for _, s := range secrets {
		if strings.Contains(strings.ToLower(all), strings.ToLower(s)) {
			t.Errorf("%q shows in %s", s, all)
		}
	}
}

// echo repeats the whole request in every part of the response.
func echo(status int, contentType, format string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		said := r.Header.Get("Authorization") + " " + string(body) + " Ana: Duarte: s3cret ana.duarte@example.com " + r.URL.String()
		h := w.Header()
		h.Set("Content-Type", contentType)
		h.Add("X-Error", "4:"+said)
		h.Add("X-Error", said)
		h.Add("X-Error", "1:Ana:Duarte")
		h.Add("X-Warning", "4:email:ana.duarte@example.com")
		h.Set("X-Transaction", said)
		h.Set("Location", "http://elsewhere.invalid/?token="+said)
		h.Set("X-Ratelimit-Remaining", said)
		h.Set("Retry-After", said)
		h.Set("Www-Authenticate", said)
		w.WriteHeader(status)
		quoted, _ := json.Marshal(said)
		_, _ = fmt.Fprintf(w, format, quoted)
	}
}

func TestNoCallShowsASecret(t *testing.T) {
	faults := map[string]http.HandlerFunc{
		"reset": func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) },
		"a response that is not HTTP": func(w http.ResponseWriter, r *http.Request) {
			conn, buf, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			_, _ = buf.WriteString("Ana Duarte s3cret\r\n\r\n")
			_ = buf.Flush()
		},
		"a body of another shape":  echo(200, "application/json", `{"id":%[1]s,"firstname":[%[1]s],"folder":7,"properties":%[1]s,"searchResults":[{"id":%[1]s}],"status":[%[1]s,1],"jobtitle":[]}`),
		"a body that was cut":      echo(200, "application/json", `{"errors":[{"errorCode":4,"errorMessage":%[1]s},{"`),
		"a body of errors":         echo(200, "application/json", `{"errors":[{"errorCode":4,"errorMessage":%[1]s}]}`),
		"a page":                   echo(200, "text/html", `<html>%s`),
		"a created without an id":  echo(201, "application/json", `%s`),
		"a code that is no number": echo(400, "application/json", `{"errors":[{"errorCode":%[1]s,"errorMessage":%[1]s}]}`),
	}
	for _, status := range []int{204, 302, 303, 400, 401, 403, 404, 408, 409, 413, 422, 429, 500, 501, 502, 503, 505} {
		faults[fmt.Sprint(status)] = echo(status, "application/json", `{"errors":[{"errorCode":4,"errorMessage":%s}]}`)
		faults[fmt.Sprintf("%d with a page", status)] = echo(status, "text/html", `<html>%s`)
	}
	for name, fault := range faults {
		c, mux := setup(t)
		mux.HandleFunc("/", fault)
		for _, k := range calls {
			t.Run(name+" on "+k.op.Name, func(t *testing.T) {
				resp, err := k.do(t.Context(), c)
				if err != nil {
					wantDiscreet(t, wantError(t, err))
				}
				if resp != nil {
					wantDiscreet(t, resp)
					if strings.Contains(fmt.Sprint(resp.Header["X-Error"], resp.Header["X-Warning"], resp.Header["Set-Cookie"]), "Ana") {
						t.Error("the headers hold the texts of the problems")
					}
				}
			})
		}
	}
}

func TestNoFailureBeforeTheWireShowsASecret(t *testing.T) {
	fail := map[string]error{
		"an error of a middleware":   errSecret,
		"a refusal of a middleware":  &RefusedError{Reason: "breaker_open", Err: errSecret},
		"an auth that fails":         &AuthError{Class: ClassRetry, Reason: ReasonAuthUnavailable, Err: errSecret},
		"a fault wrapped in details": fmt.Errorf("POST https://u:pass-word@x/?searchJson=Ana: %w", errSecret),
	}
	for name, cause := range fail {
		mw := func(http.RoundTripper) http.RoundTripper {
			return roundTripper(func(*http.Request) (*http.Response, error) { return nil, cause })
		}
		c, _ := setup(t, WithMiddleware(mw))
		for _, k := range calls {
			t.Run(name+" on "+k.op.Name, func(t *testing.T) {
				_, err := k.do(t.Context(), c)
				wantDiscreet(t, wantError(t, err))
				if !errors.Is(err, errSecret) {
					t.Error("errors.As does not find the cause")
				}
			})
		}
	}
}

func TestCredentialsDoNotPrint(t *testing.T) {
	secret := "pass-word"
	for name, auth := range map[string]Auth{
		"basic": Basic("integration", secret),
		"hmac":  HMAC("integration", []byte(secret)),
		"oauth": OAuth("integration", secret, OAuthTokenURL("http://127.0.0.1:1")),
	} {
		t.Run(name, func(t *testing.T) {
			c := newClient(t, "https://api.icims.com", auth)
			for _, verb := range []string{"%v", "%+v", "%#v"} {
				for _, s := range []string{secret, fmt.Sprint(string([]byte(secret))), fmt.Sprintf("%x", secret), fmt.Sprintf("%#v", []byte(secret))} {
					if strings.Contains(fmt.Sprintf(verb, auth)+fmt.Sprintf(verb, c), s) {
						t.Errorf("%s shows %s", verb, s)
					}
				}
			}
		})
	}
}
