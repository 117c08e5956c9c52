package api

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
)

// canary is in every malformed request, and must not be in any response or log line.
const canary = "h0st1le-c4nary"

// malformedCount is the number of malformed requests per route.
const malformedCount = 500

// malformed generates malformed requests of one operation.
type malformed struct {
	*rand.Rand
	o     op
	doc   *huma.Operation
	key   string
	batch string
	wrong []func(*malformedRequest) // mutations, each of which must be refused
}

// malformedRequest is a request before it is encoded.
type malformedRequest struct {
	method, path, query string
	header              [][2]string
	body                string
	hasBody             bool
}

func (h *malformed) pick(texts ...string) string { return texts[h.IntN(len(texts))] }

// oddValue returns a value that may break parsers.
func (h *malformed) oddValue() string {
	return canary + h.pick(
		"", "'\"`;--", "\x00", "\xff\xfe", "%s%n%d", "../../etc/passwd", "{{7*7}}", "\u202e\u0000", "🦊🦊", "<script>", "\r\nX-Injected: 1",
		strings.Repeat("9", 400), strings.Repeat("é", 300), "NaN", "1e999", "-0", "null", "true", "[]", "{}",
	)
}

// jsonText encodes a text as JSON.
func jsonText(text string) string {
	encoded, err := json.Marshal(text)
	if err != nil {
		panic(err) // every text can be encoded
	}
	return string(encoded)
}

func (h *malformed) oddJSON(depth int) string {
	switch h.IntN(10) {
	case 0:
		return "null"
	case 1:
		return h.pick("1e999", "-1", "18446744073709551616", "0.1", "1e-400")
	case 2:
		return "true"
	case 3, 4:
		return jsonText(h.oddValue())
	case 5:
		return `"` + canary + `\ud800"`
	}
	if depth <= 0 {
		return `"` + canary + `"`
	}
	if h.IntN(2) == 0 {
		return "[" + h.oddJSON(depth-1) + "," + h.oddJSON(depth-1) + "]"
	}
	return `{` + jsonText(h.oddValue()) + `:` + h.oddJSON(depth-1) + `,"why":` + h.oddJSON(depth-1) + `}`
}

// brokenBody returns invalid JSON, or JSON with unknown fields.
func (h *malformed) brokenBody() string {
	switch h.IntN(9) {
	case 0:
		return ""
	case 1:
		return `{"` + canary + `":`
	case 2:
		return strings.Repeat("[", 20_000) + `"` + canary
	case 3:
		return `"` + canary + `"`
	case 4:
		return `[` + h.oddJSON(3) + `]`
	case 5:
		return canary + "=1&x=" + h.oddValue()
	case 6:
		return "\xff\xfe" + canary
	case 7:
		return `{"` + canary + `":"` + strings.Repeat("x", 2<<20) + `"}`
	default:
		return `{"` + canary + `":` + h.oddJSON(4) + `}`
	}
}

// waysOf collects the mutations of the operation's requests.
func (h *malformed) waysOf() {
	h.wrong = append(h.wrong,
		func(r *malformedRequest) {
			r.query = url.QueryEscape(h.oddValue()) + "=" + url.QueryEscape(h.oddValue())
		},
		func(r *malformedRequest) { r.method = h.pick("PATCH", "TRACE", "PROPFIND", "CONNECT", canary) },
		func(r *malformedRequest) {
			r.path = h.pick(r.path+"/", r.path+"//", "/"+r.path, r.path+"/%2e%2e/"+canary, r.path+"/"+url.PathEscape(h.oddValue()), "/"+canary, "/v1/../"+canary, "/v1/./whoami", "*")
		},
		func(r *malformedRequest) {
			r.header = append(r.header, [2]string{"X-" + canary, strings.Repeat(canary, 1500)})
		},
	)
	if h.o.Scope != scopeNone {
		h.wrong = append(h.wrong, func(r *malformedRequest) {
			r.header[0] = [2]string{"Authorization", h.pick("", "Basic "+canary, "Bearer", "Bearer "+canary, "Bearer ixk_"+canary+"_"+canary, h.key, "Bearer "+h.key+canary, strings.Repeat(canary, 40))}
		})
	}
	if strings.Contains(h.o.Path, "{customer}") {
		h.wrong = append(h.wrong, func(r *malformedRequest) {
			r.path = pathOf(h.o, h.pick("0x12", "-1", "1234;"+canary, url.PathEscape(h.oddValue()), "99999999999999999999", "%00", theirs, "{customer}", "１２３４"), h.batch)
		})
	}
	if strings.Contains(h.o.Path, "{batch}") {
		h.wrong = append(h.wrong, func(r *malformedRequest) {
			r.path = pathOf(h.o, mine, h.pick(canary, mine+"-"+canary, url.PathEscape(h.oddValue()), theirs+"-abcdefgh234567ij", mine+"-ABCDEFGH234567IJ", "%00", "-"))
		})
	}
	for _, p := range h.doc.Parameters {
		if p.In == "query" && p.Schema != nil && (p.Schema.Type == huma.TypeInteger || p.Schema.Type == huma.TypeBoolean || p.Schema.Type == huma.TypeNumber) {
			h.wrong = append(h.wrong, func(r *malformedRequest) { r.query = p.Name + "=" + url.QueryEscape(h.oddValue()) })
		}
	}
	if h.doc.RequestBody != nil {
		h.wrong = append(h.wrong, func(r *malformedRequest) {
			r.hasBody, r.body = true, h.oddJSON(3)
			r.header = append(r.header, [2]string{"Content-Type", h.pick("application/xml", "text/"+canary, "multipart/form-data; boundary="+canary, canary, "application/json+"+canary)})
		})
		if !h.o.raw {
			h.wrong = append(h.wrong, func(r *malformedRequest) {
				r.hasBody, r.body = true, h.brokenBody()
				r.header = append(r.header, [2]string{"Content-Type", "application/json"})
			})
		}
	}
}

// request returns a request with at least one mutation.
func (h *malformed) request() malformedRequest {
	r := malformedRequest{method: h.o.Method, path: pathOf(h.o, mine, h.batch), header: [][2]string{{"Authorization", "Bearer " + h.key}}}
	if h.IntN(2) == 0 { // mutations that are allowed
		name := h.pick("If-Match", "Idempotency-Key", "Accept", "X-Forwarded-For", "X-Request-Id", "Last-Event-ID", "Cookie", "Range", "Accept-Encoding", "Expect")
		r.header = append(r.header, [2]string{name, strings.Map(printableASCII, h.oddValue())})
	}
	for i := range 1 + h.IntN(2) {
		if i == 0 || h.IntN(2) == 0 {
			h.wrong[h.IntN(len(h.wrong))](&r)
		}
	}
	return r
}

func printableASCII(c rune) rune {
	if c < ' ' || c > '~' {
		return -1
	}
	return c
}

// parsed returns the request as the server's parser reads it; false if the parser refuses it.
func (r malformedRequest) parsed() (*http.Request, bool) {
	var b strings.Builder
	target := r.path
	if r.query != "" {
		target += "?" + r.query
	}
	fmt.Fprintf(&b, "%s %s HTTP/1.1\r\nHost: localhost\r\n", r.method, target)
	for _, h := range r.header {
		fmt.Fprintf(&b, "%s: %s\r\n", h[0], h[1])
	}
	if r.hasBody {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(r.body))
	}
	b.WriteString("\r\n" + r.body)
	req, err := http.ReadRequest(bufio.NewReader(strings.NewReader(b.String())))
	if err != nil {
		return nil, false
	}
	req.RemoteAddr = "192.0.2.7:1234"
	return req, true
}

func TestHostileRequestsAreRefusedWithProblems(t *testing.T) {
	r := newRig(t, withoutRateLimits)
	r.withProbes()
	receipt := r.withEverything(mine)
	r.withEverything(theirs)
	handler := r.Handler()
	key := r.key(ScopeAdmin, mine)
	before := r.state()
	for _, o := range r.ops {
		t.Run(o.ID, func(t *testing.T) {
			h := &malformed{Rand: rand.New(rand.NewPCG(2026, uint64(len(o.ID)))), o: o, doc: r.documented(o), key: key, batch: string(receipt.Batch)}
			h.waysOf()
			sent := 0
			for i := 0; sent < malformedCount && i < 4*malformedCount; i++ {
				want := h.request()
				req, ok := want.parsed()
				if !ok {
					continue
				}
				sent++
				w := httptest.NewRecorder()
				handler.ServeHTTP(w, req)
				if fault := faultOf(w); fault != "" {
					t.Fatalf("request %d: %s\n%s %s?%s %.200v\nbody %.200q\nanswer %d %v %.500s", i, fault, want.method, want.path, want.query, want.header, want.body, w.Code, w.Header(), w.Body)
				}
			}
			if sent < malformedCount {
				t.Errorf("only %d requests could be sent", sent)
			}
		})
	}
	if logged := r.log.String(); strings.Contains(logged, canary) || strings.Contains(logged, "unexpected fault") {
		t.Errorf("the log tells what was sent, or of a fault")
	}
	after := r.state()
	for name := range after {
		journal := strings.HasPrefix(name, "ix:journal") || strings.HasPrefix(name, "ix:{ix:journal:")
		if !journal && fmt.Sprint(before[name]) != fmt.Sprint(after[name]) {
			t.Errorf("%s was changed", name)
		}
	}
}

// documented returns the operation in the OpenAPI document.
func (r *rig) documented(o op) *huma.Operation {
	item := r.huma.OpenAPI().Paths[o.Path]
	return map[string]*huma.Operation{http.MethodGet: item.Get, http.MethodPost: item.Post, http.MethodPut: item.Put, http.MethodDelete: item.Delete}[o.Method]
}

// faultOf describes what is wrong with the response to a malformed request.
func faultOf(w *httptest.ResponseRecorder) string {
	var p Problem
	switch {
	case w.Code < 400 || w.Code > 499:
		return "it is not refused as the caller's fault"
	case w.Header().Get("Content-Type") != problemContentType:
		return "the answer is no problem"
	case json.Unmarshal(w.Body.Bytes(), &p) != nil:
		return "the problem cannot be read"
	case p.Status != w.Code || p.Code.Info().Status != w.Code || p.Title == "" || p.Type == "":
		return "the problem does not agree with the status"
	case strings.Contains(w.Body.String()+fmt.Sprint(w.Header()), canary):
		return "the answer tells what was sent"
	}
	return ""
}
