package icimstest

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"
	"strconv"
	"strings"
)

// answer is the result of a route, before encoding.
type answer struct {
	status   int
	location string // path; the base URL is prepended
	errors   []problem
	warnings []problem
	body     any // marshaled as JSON unless nil
	raw      []byte
	rawType  string
	header   [][2]string
	created  int64
}

func refuse(status int, ps ...problem) answer { return answer{status: status, errors: ps} }

func badRequest(ps ...problem) answer { return refuse(http.StatusBadRequest, ps...) }

func notFound(what string) answer {
	return refuse(http.StatusNotFound, problem{code: codeNotFound, detail: what + " not found."})
}

func accessDenied() answer {
	return refuse(http.StatusNotFound, problem{code: codeAccessDenied, detail: "You do not have access to the requested resource."})
}

func ok(body any) answer { return answer{status: http.StatusOK, body: body} }

func created(location string, id int64) answer {
	return answer{status: http.StatusCreated, location: location, created: id}
}

// patched returns the answer to a PATCH of the record at a path.
func (t *Tenant) patched(location string) answer {
	a := answer{status: t.behaviour.PatchStatus}
	if t.behaviour.PatchLocation == Present {
		a.location = location
	}
	return a
}

func noContent() answer { return answer{status: http.StatusNoContent} }

// response is an answer encoded for the wire.
type response struct {
	status  int
	header  http.Header
	body    []byte
	chunked bool
}

// render adds the headers that every iCIMS response has.
func (c *call) render(a answer) response {
	h := make(http.Header, 20)
	h["Cache-Control"] = []string{"no-cache,no-store,no-transform,must-revalidate,max-age=0,s-maxage=0"}
	h["Content-Language"] = []string{"en-US,us"}
	h["Content-Security-Policy"] = []string{"frame-ancestors 'self'"}
	h["Strict-Transport-Security"] = []string{"max-age=7776000"}
	h["X-Content-Type-Options"] = []string{"nosniff"}
	h["X-Frame-Options"] = []string{"SAMEORIGIN"}
	carrier, transaction := Both, c.sim.cfg.Behavior.TransactionHeader
	if c.tenant != nil {
		carrier, transaction = c.tenant.behaviour.WarningCarrier, c.tenant.behaviour.TransactionHeader
	}
	if guid := c.guid(); transaction == Present {
		h["X-Transaction"] = []string{guid}
	}
	h["Date"] = []string{c.now.UTC().Format(http.TimeFormat)}
	if c.tenant != nil {
		h["Set-Cookie"] = []string{"JSESSIONID=" + strings.ToUpper(strconv.FormatUint(c.rng.Uint64(), 16)) + "; Path=/; Secure; HttpOnly"}
		c.rateHeaders(h)
	}
	for _, kv := range a.header {
		h.Add(kv[0], kv[1])
	}
	if a.location != "" {
		h.Set("Location", c.base+a.location)
	}
	res := response{status: a.status, header: h}
	for _, p := range a.errors {
		h.Add("X-Error", p.header())
	}
	if carrier != Body {
		for _, p := range a.warnings {
			h.Add("X-Warning", p.header())
		}
	}
	switch {
	case a.raw != nil:
		res.body = a.raw
		h.Set("Content-Type", a.rawType)
	case len(a.errors) > 0:
		res.body = mustJSON(map[string]any{"errors": problemsJSON(a.errors)})
	case a.body != nil:
		res.body = mustJSON(a.body)
	case len(a.warnings) > 0 && carrier != Header && a.status != http.StatusNoContent:
		res.body = mustJSON(map[string]any{"warnings": problemsJSON(a.warnings)})
	}
	q := c.sim.cfg.Quirks
	if q.Unknown > 0 && c.rng.Float64() < q.Unknown {
		h.Set("X-Platform-Shard", strconv.Itoa(c.rng.IntN(16)))
		if a.raw == nil && len(res.body) > 2 && res.body[0] == '{' {
			res.body = append([]byte(`{"platformnotice":{"seen":[1,"two",null],"level":0},`), res.body[1:]...)
		}
	}
	if len(res.body) > 0 {
		if h.Get("Content-Type") == "" {
			h.Set("Content-Type", "application/json;charset=UTF-8")
		}
		res.chunked = q.Chunked > 0 && c.rng.Float64() < q.Chunked
	} else if a.status != http.StatusNoContent {
		h.Set("Content-Type", "application/octet-stream")
	}
	return res
}

// write sends the whole response.
func (res response) write(w http.ResponseWriter) {
	dst := w.Header()
	maps.Copy(dst, res.header)
	if !res.chunked && res.status != http.StatusNoContent {
		dst.Set("Content-Length", strconv.Itoa(len(res.body)))
	}
	w.WriteHeader(res.status)
	if len(res.body) == 0 {
		return
	}
	if res.chunked {
		half := len(res.body) / 2
		w.Write(res.body[:half])
		if f, ok := w.(http.Flusher); ok {
			f.Flush()
		}
		w.Write(res.body[half:])
		return
	}
	w.Write(res.body)
}

// bytes returns the response as sent on the wire.
func (res response) bytes() []byte {
	var b bytes.Buffer
	b.WriteString("HTTP/1.1 " + strconv.Itoa(res.status) + " " + http.StatusText(res.status) + "\r\n")
	res.header.Write(&b)
	b.WriteString("Content-Length: " + strconv.Itoa(len(res.body)) + "\r\n\r\n")
	b.Write(res.body)
	return b.Bytes()
}

// mustJSON encodes values built by this package, which never fail to encode.
func mustJSON(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		panic("icimstest: " + err.Error())
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}
