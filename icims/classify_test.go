package icims

import (
	"fmt"
	"net/http"
	"testing"
	"time"
)

// verdicts lists the class of each status for reads, for idempotent writes and for creates. Later
// rows win.
var verdicts = []struct {
	from, to                 int
	read, repeatable, create Class
	reason                   Reason
}{
	{100, 199, ClassRetry, ClassRetry, ClassUnknown, ReasonBadAnswer},
	{200, 299, ClassRetry, ClassNone, ClassUnknown, ReasonBadAnswer}, // without content
	{300, 399, ClassPermanent, ClassPermanent, ClassPermanent, ReasonRedirected},
	{303, 303, ClassPermanent, ClassPermanent, ClassUnknown, ReasonRedirected},
	{400, 499, ClassPermanent, ClassPermanent, ClassPermanent, ReasonRefused},
	{401, 401, ClassCredentials, ClassCredentials, ClassCredentials, ReasonCredentials},
	{403, 403, ClassAccess, ClassAccess, ClassAccess, ReasonAccessDenied},
	{404, 404, ClassRetry, ClassRetry, ClassUnknown, ReasonBadAnswer}, // without an iCIMS error
	{408, 408, ClassRetry, ClassRetry, ClassUnknown, ReasonTimeout},
	{409, 409, ClassPermanent, ClassPermanent, ClassPermanent, ReasonConflict},
	{413, 413, ClassPermanent, ClassPermanent, ClassPermanent, ReasonTooLarge},
	{429, 429, ClassDefer, ClassDefer, ClassDefer, ReasonQuotaExhausted},
	{500, 599, ClassRetry, ClassRetry, ClassUnknown, ReasonServerError},
	{501, 501, ClassPermanent, ClassPermanent, ClassPermanent, ReasonNotSupported},
	{505, 505, ClassPermanent, ClassPermanent, ClassPermanent, ReasonNotSupported},
	{600, 999, ClassRetry, ClassRetry, ClassUnknown, ReasonBadAnswer},
}

// ownHeader marks a response as iCIMS's.
var ownHeader = http.Header{"X-Transaction": {"{2A06CCC7-D2CC-5C91-2591-89CF1FF4F939}"}}

func TestEveryStatusForEveryOperation(t *testing.T) {
	for status := 100; status <= 999; status++ {
		c := newClient(t, "https://api.icims.com", Basic("u", "p"), WithBaseTransport(answering(status, ownHeader, "")))
		for _, k := range calls {
			var want Class
			var reason Reason
			for _, v := range verdicts {
				if status >= v.from && status <= v.to {
					reason = v.reason
					switch {
					case !k.op.Write:
						want = v.read
					case k.op.Method == http.MethodPost && k.op != opAddEntry:
						want = v.create
					default:
						want = v.repeatable
					}
				}
			}
			if k.op == opSearchPeople && want == ClassPermanent {
				want, reason = ClassAccess, ReasonSearchRefused
			}
			_, err := k.do(t.Context(), c)
			if want == ClassNone {
				if err != nil {
					t.Errorf("%d on %s: %v, want success", status, k.op.Name, err)
				}
				continue
			}
			if e := wantError(t, err); e.Class != want || e.Reason != reason || e.Status != status || e.Sent != SentYes {
				t.Errorf("%d on %s: %v, want %s %s", status, k.op.Name, e, want, reason)
			}
		}
	}
}

// TestOnlyICIMSRefuses: a response without iCIMS's marks comes from a system in between and says
// nothing about the request or the account.
func TestOnlyICIMSRefuses(t *testing.T) {
	pages := map[string]struct {
		header http.Header
		body   string
	}{
		"nothing":                     {},
		"a page":                      {http.Header{"Content-Type": {"text/html"}, "Www-Authenticate": {`Basic realm="proxy"`}}, "<html>403</html>"},
		"JSON of a gateway":           {http.Header{"Content-Type": {"application/json"}}, `{"message":"Forbidden"}`},
		"another JSON of a gateway":   {http.Header{"Content-Type": {"application/json"}}, `{"errors":[{"title":"Forbidden","status":403}]}`},
		"an unreadable error of ours": {nil, `{"errors":`},
	}
	for name, page := range pages {
		for status := 300; status <= 599; status++ {
			if status == http.StatusTooManyRequests {
				continue // its Retry-After counts, whoever sends it
			}
			c := newClient(t, "https://api.icims.com", Basic("u", "p"), WithBaseTransport(answering(status, page.header, page.body)))
			for _, k := range calls {
				_, err := k.do(t.Context(), c)
				if e := wantError(t, err); e.Class != k.op.lostClass() {
					t.Errorf("%s with %d on %s: %v", name, status, k.op.Name, e)
				}
			}
			answer, _ := answering(status, page.header, page.body)(nil)
			if got := AccountStatus(Op{}, answer); got < 500 {
				t.Errorf("%s with %d speaks of the account as %d", name, status, got)
			}
		}
	}
	marks := map[string]struct {
		header http.Header
		body   string
	}{
		"the transaction header": {ownHeader, "<html>"},
		"an error with a code":   {nil, `{"errors":[{"errorMessage":"You do not have access.","errorCode":3}]}`},
		"an error without one":   {nil, `{"errors":[{"errorMessage":"You do not have access."}]}`},
		"the error header":       {http.Header{"X-Error": {"3:You do not have access."}}, ""},
		"a challenge":            {http.Header{"Www-Authenticate": {`Basic realm="iCIMS"`, "x-icims-v1-hmac-sha256"}}, ""},
	}
	for name, mark := range marks {
		c := newClient(t, "https://api.icims.com", Basic("u", "p"), WithBaseTransport(answering(403, mark.header, mark.body)))
		_, _, err := c.CreatePerson(t.Context(), personFields)
		if ClassOf(err) != ClassAccess {
			t.Errorf("%s: %v", name, err)
		}
		answer, _ := answering(403, mark.header, mark.body)(nil)
		if got := AccountStatus(Op{}, answer); got != 403 {
			t.Errorf("%s speaks of the account as %d", name, got)
		}
	}
}

// TestAUserWithoutWebServicesIsNoWrongPassword: only iCIMS's message distinguishes the two.
func TestAUserWithoutWebServicesIsNoWrongPassword(t *testing.T) {
	for _, status := range []int{400, 401, 403, 404} {
		for _, code := range []int{3, 6, 7} {
			body := fmt.Sprintf(`{"errors":[{"errorMessage":"The provided Username is not Authorized to access Web Services.","errorCode":%d}]}`, code)
			c := newClient(t, "https://api.icims.com", Basic("u", "p"), WithBaseTransport(answering(status, nil, body)))
			_, _, err := c.CreatePerson(t.Context(), personFields)
			answer, _ := answering(status, nil, body)(nil)
			if e := wantError(t, err); e.Class != ClassAccess || e.Reason != ReasonNotAuthorized || AccountStatus(Op{}, answer) != StatusNotAuthorized {
				t.Errorf("%d with code %d: %v, account status %d", status, code, e, AccountStatus(Op{}, answer))
			}
		}
	}
}

// TestARefusedSearchForPeopleIsAboutTheAccount: it says nothing about the person.
func TestARefusedSearchForPeopleIsAboutTheAccount(t *testing.T) {
	const hidden = `{"errors":[{"errorMessage":"The following filter is either not valid or hidden: [person.email]","errorCode":%d}]}`
	for _, tt := range []struct {
		status, code int
		class        Class
		reason       Reason
		account      int
	}{
		{400, 4, ClassAccess, ReasonSearchRefused, StatusSearchRefused},
		{400, 1, ClassAccess, ReasonSearchRefused, StatusSearchRefused},
		{404, 3, ClassAccess, ReasonSearchRefused, StatusSearchRefused},
		{409, 5, ClassAccess, ReasonSearchRefused, StatusSearchRefused},
		{413, 5, ClassAccess, ReasonSearchRefused, StatusSearchRefused},
		{403, 3, ClassAccess, ReasonAccessDenied, 403},
		{400, 3, ClassAccess, ReasonAccessDenied, 403},
		{400, 6, ClassCredentials, ReasonCredentials, 401},
		{500, 4, ClassRetry, ReasonServerError, 500},
		{404, 2, ClassNone, "", 404}, // nobody
		{404, 77, ClassRetry, ReasonBadAnswer, 404},
	} {
		body := fmt.Sprintf(hidden, tt.code)
		c := newClient(t, "https://api.icims.com", Basic("u", "p"), WithBaseTransport(answering(tt.status, nil, body)))
		_, _, err := c.SearchPeople(t.Context(), EmailQuery(OpExact, "a@example.com"))
		answer, _ := answering(tt.status, nil, body)(nil)
		if got := AccountStatus(opSearchPeople, answer); ClassOf(err) != tt.class || ReasonOf(err) != tt.reason || got != tt.account {
			t.Errorf("%d with code %d: %v, account status %d", tt.status, tt.code, err, got)
		}
		if e, ok := err.(*Error); ok && e.RefusesSearch() != (tt.class == ClassAccess) {
			t.Errorf("%d with code %d: refuses the search: %t", tt.status, tt.code, e.RefusesSearch())
		}
	}
}

func TestNoCallsLeftIsADeferral(t *testing.T) {
	h := http.Header{"X-Ratelimit-Limit": {"10000"}, "X-Ratelimit-Remaining": {"0"}, "X-Ratelimit-Reset": {"9299"}}
	for status := 400; status <= 599; status++ {
		c := newClient(t, "https://api.icims.com", Basic("u", "p"), WithBaseTransport(answering(status, h, "")))
		for _, k := range calls {
			_, err := k.do(t.Context(), c)
			e := wantError(t, err)
			if deferred := status < 500 || status == 503 && k.op.Repeatable; deferred != (e.Class == ClassDefer) {
				t.Errorf("%d on %s without calls left is %s", status, k.op.Name, e.Class)
			} else if deferred && (e.Reason != ReasonQuotaExhausted || e.RetryAfter != 9299*time.Second) {
				t.Errorf("%d on %s: %s, retry after %s", status, k.op.Name, e.Reason, e.RetryAfter)
			}
		}
	}
}

func TestCodesRefineTheStatus(t *testing.T) {
	tests := []struct {
		status, code int
		class        Class
		reason       Reason
	}{
		{400, 1, ClassPermanent, ReasonFieldRequired},
		{400, 2, ClassPermanent, ReasonNotFound},
		{400, 3, ClassAccess, ReasonAccessDenied},
		{400, 4, ClassPermanent, ReasonFieldRefused},
		{400, 5, ClassPermanent, ReasonRefused},
		{400, 6, ClassCredentials, ReasonCredentials},
		{400, 77, ClassPermanent, ReasonRefused},
		{401, 6, ClassCredentials, ReasonCredentials},
		{404, 2, ClassPermanent, ReasonNotFound},
		{404, 3, ClassAccess, ReasonAccessDenied},
		{404, 77, ClassUnknown, ReasonBadAnswer},
		{409, 4, ClassPermanent, ReasonConflict},
		{422, 4, ClassPermanent, ReasonFieldRefused},
		{500, 0, ClassUnknown, ReasonServerError},
		{500, 4, ClassUnknown, ReasonServerError},
	}
	carriers := map[string]func(code int) (http.Header, string){
		"header": func(code int) (http.Header, string) {
			return http.Header{"X-Error": {fmt.Sprintf("%d:email:detail", code)}}, ""
		},
		"body": func(code int) (http.Header, string) {
			return nil, fmt.Sprintf(`{"errors":[{"errorMessage":"email: detail","errorCode":%d}]}`, code)
		},
		"body with a quoted code": func(code int) (http.Header, string) {
			return nil, fmt.Sprintf(`{"errors":[{"errorMessage":"email: detail","errorCode":"%d"}]}`, code)
		},
		"body that was cut": func(code int) (http.Header, string) {
			return nil, fmt.Sprintf(`{"errors":[{"errorCode":%d,"errorMessage":"ema`, code)
		},
	}
	for _, tt := range tests {
		for carrier, write := range carriers {
			t.Run(fmt.Sprintf("%d with code %d in the %s", tt.status, tt.code, carrier), func(t *testing.T) {
				h, body := write(tt.code)
				c := newClient(t, "https://api.icims.com", Basic("u", "p"), WithBaseTransport(answering(tt.status, h, body)))
				_, _, err := c.CreatePerson(t.Context(), personFields)
				e := wantError(t, err)
				class, reason := tt.class, tt.reason
				if carrier == "body that was cut" && (reason == ReasonFieldRefused || reason == ReasonFieldRequired) {
					class, reason = ClassRetry, ReasonBadAnswer // the field's name may be in the missing part
				}
				if e.Class != class || e.Reason != reason || len(e.Problems) != 1 || e.Problems[0].Code != tt.code {
					t.Errorf("got %s %s %v, want %s %s", e.Class, e.Reason, e.Problems, class, reason)
				}
			})
		}
	}
}

func TestWhenADeferralEnds(t *testing.T) {
	now := time.Date(2026, 3, 30, 21, 0, 0, 0, time.UTC)
	tests := []struct {
		name   string
		header map[string]string
		want   time.Duration
		reason Reason
	}{
		{"no header: at midnight UTC", nil, 3 * time.Hour, ReasonQuotaExhausted},
		{"no header but a date: at midnight by iCIMS's clock", map[string]string{"Date": "Mon, 30 Mar 2026 21:25:01 GMT"}, 9299 * time.Second, ReasonQuotaExhausted},
		{"none remaining: at the reset", map[string]string{"X-Ratelimit-Remaining": "0", "X-Ratelimit-Reset": "60"}, time.Minute, ReasonQuotaExhausted},
		{"a reset of zero is now, not a day later", map[string]string{"X-Ratelimit-Remaining": "0", "X-Ratelimit-Reset": "0"}, time.Second, ReasonQuotaExhausted},
		{"a reset without a count", map[string]string{"X-Ratelimit-Reset": "90"}, 90 * time.Second, ReasonQuotaExhausted},
		{"a reset given as an epoch", map[string]string{"X-Ratelimit-Remaining": "0", "X-Ratelimit-Reset": fmt.Sprint(now.Unix() + 120)}, 2 * time.Minute, ReasonQuotaExhausted},
		{"a reset of more than a day is ignored", map[string]string{"X-Ratelimit-Remaining": "0", "X-Ratelimit-Reset": "99999"}, 3 * time.Hour, ReasonQuotaExhausted},
		{"a reset that is no number", map[string]string{"X-Ratelimit-Remaining": "0", "X-Ratelimit-Reset": "soon"}, 3 * time.Hour, ReasonQuotaExhausted},
		{"Retry-After in seconds", map[string]string{"Retry-After": "7"}, 7 * time.Second, ReasonQuotaExhausted},
		{"Retry-After as a date", map[string]string{"Retry-After": "Mon, 30 Mar 2026 21:00:30 GMT"}, 30 * time.Second, ReasonQuotaExhausted},
		{"calls remaining: Retry-After, not the reset", map[string]string{"X-Ratelimit-Remaining": "5000", "X-Ratelimit-Reset": "9299", "Retry-After": "2"}, 2 * time.Second, ReasonRateLimited},
		{"calls remaining and nothing else: a minute", map[string]string{"X-Ratelimit-Remaining": "5000", "X-Ratelimit-Reset": "9299"}, time.Minute, ReasonRateLimited},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := http.Header{}
			for k, v := range tt.header {
				h.Set(k, v)
			}
			c := newClient(t, "https://api.icims.com", Basic("u", "p"),
				WithBaseTransport(answering(429, h, "")), WithClock(func() time.Time { return now }))
			_, _, err := c.CreatePerson(t.Context(), personFields)
			if e := wantError(t, err); e.Class != ClassDefer || e.RetryAfter != tt.want || e.Reason != tt.reason {
				t.Errorf("got %s %s after %s, want defer %s after %s", e.Class, e.Reason, e.RetryAfter, tt.reason, tt.want)
			}
		})
	}
}

func TestReasonsAreDistinct(t *testing.T) {
	seen := map[Reason]bool{}
	for _, r := range Reasons() {
		if seen[r] || r == "" {
			t.Errorf("reason %q is empty or there twice", r)
		}
		seen[r] = true
	}
}
