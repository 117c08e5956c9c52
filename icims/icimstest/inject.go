package icimstest

import (
	"bytes"
	"maps"
	"net"
	"net/http"
	"strconv"
	"time"
)

// inject runs the call with one fault, or with none.
func (c *call) inject(w http.ResponseWriter, fault Fault, rule Rule, faults *Faults) *response {
	send := func(a answer) *response {
		res := c.render(a)
		return &res
	}
	internal := refuse(http.StatusInternalServerError, problem{code: codeInternal, detail: "An internal error has occurred."})
	switch fault {
	case Error500Before:
		return send(internal)
	case Error500After:
		c.handle()
		return send(internal)
	case TimeoutBefore:
		c.waitGone()
		return nil
	case TimeoutAfter:
		c.handle()
		c.waitGone()
		return nil
	case TimeoutLate:
		c.waitGone()
		if c.sim.cfg.Sleep(c.serverContext(), faults.LateBy) == nil {
			c.handle()
		}
		return nil
	case ResetBefore:
		c.reset(w)
	case ResetAfter:
		c.handle()
		c.reset(w)
	case ResetMidBody:
		c.cut(w, c.render(c.handle()))
	case Error503:
		return send(refuse(http.StatusServiceUnavailable, problem{code: codeInternal, detail: "The service is temporarily unavailable."}))
	case Error429:
		a := refuse(http.StatusTooManyRequests, problem{code: codeOther, detail: "Too many requests."})
		c.retryAfter(&a, time.Second)
		return send(a)
	case Error429Bare:
		res := c.render(answer{status: http.StatusTooManyRequests})
		for _, h := range []string{"X-Ratelimit-Limit", "X-Ratelimit-Remaining", "X-Ratelimit-Reset"} {
			res.header.Del(h)
		}
		return &res
	case HTMLError:
		return page(rule, http.StatusBadGateway)
	case RedirectElsewhere:
		res := page(rule, http.StatusFound)
		res.header.Set("Location", faults.RedirectTo+c.r.URL.RequestURI())
		return res
	case Page403:
		return page(rule, http.StatusForbidden)
	case Page404:
		return page(rule, http.StatusNotFound)
	case Page404After:
		c.handle()
		return page(rule, http.StatusNotFound)
	case Unauthorized:
		return send(unauthorized())
	case AccessDenied404:
		return send(accessDenied())
	case Bare404:
		return send(answer{status: http.StatusNotFound})
	case Gateway404:
		return c.gateway404()
	case EmptySuccess:
		return &response{status: http.StatusOK, header: http.Header{"Content-Type": {"application/json"}}, body: []byte("{}")}
	case StatusBefore:
		fill(&rule.Status, http.StatusInternalServerError)
		code := codeOther
		if rule.Code != 0 {
			code = rule.Code
		}
		return send(refuse(rule.Status, problem{code: code, field: rule.Field, detail: http.StatusText(rule.Status) + "."}))
	case TruncatedJSON:
		res := c.render(c.handle())
		if len(res.body) == 0 {
			res.body = []byte(`{"links":[{"rel":"self"}]}`)
			if res.status == http.StatusNoContent {
				res.status = http.StatusOK
			}
		}
		res.body = res.body[:len(res.body)/2+1]
		res.header.Set("Content-Type", "application/json;charset=UTF-8")
		return &res
	case OverlongJSON:
		res := c.render(c.handle())
		rest := []byte("}")
		if len(res.body) > 2 && res.body[0] == '{' {
			rest = append([]byte(","), res.body[1:]...)
		}
		res.body = append(append([]byte(`{"padding":"`), bytes.Repeat([]byte("x"), faults.OverlongBytes)...), append([]byte(`"`), rest...)...)
		if res.status == http.StatusNoContent {
			res.status = http.StatusOK
		}
		res.header.Set("Content-Type", "application/json;charset=UTF-8")
		return &res
	case SlowBody:
		c.drip(w, c.render(c.handle()), faults.SlowFor)
	default:
		return send(c.handle())
	}
	return nil
}

const notFoundPage = "<!DOCTYPE html>\n<html><head><title>404 Not Found</title></head><body><h1>Not Found</h1></body></html>\n"

// gateway404 is the 404 of a gateway that cannot route to iCIMS: a page, or its own JSON, without
// iCIMS's headers.
func (c *call) gateway404() *response {
	res := &response{status: http.StatusNotFound, header: http.Header{"Content-Type": {"text/html; charset=utf-8"}}, body: []byte(notFoundPage)}
	if c.rng.IntN(2) == 0 {
		res.header.Set("Content-Type", "application/json")
		res.body = []byte(`{"errors":[{"errorMessage":"no Route matched with those values","errorCode":404}]}`)
	}
	return res
}

// page is a response of a system in front of iCIMS. Its status is the rule's, or the usual one.
func page(rule Rule, usual int) *response {
	fill(&rule.Status, usual)
	title := strconv.Itoa(rule.Status) + " " + http.StatusText(rule.Status)
	body := "<!DOCTYPE html>\n<html><head><title>" + title + "</title></head><body><h1>" + title + "</h1></body></html>\n"
	h := http.Header{"Content-Type": {"text/html; charset=utf-8"}, "Server": {"proxy"}}
	return &response{status: rule.Status, header: h, body: []byte(body)}
}

// reset resets the connection with RST and sends nothing.
func (c *call) reset(w http.ResponseWriter) {
	c.gone()
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		tcp.SetLinger(0)
	}
	conn.Close()
}

// cut sends half of a response and closes the connection. A response without a body is cut within
// its headers. No RST, since it could overtake the half.
func (c *call) cut(w http.ResponseWriter, res response) {
	c.gone()
	if rec, inMemory := w.(*recorder); inMemory && len(res.body) > 0 {
		rec.broken = true
		res.chunked = false
		res.body = res.body[:len(res.body)/2]
		res.write(rec)
		return
	}
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	wire := res.bytes()
	conn.Write(wire[:len(wire)-1-len(res.body)/2])
	conn.Close()
}

// drip sends a response in ten pieces over the given time.
func (c *call) drip(w http.ResponseWriter, res response, over time.Duration) {
	const pieces = 10
	c.gone()
	c.sim.calls.update(func() { c.log.Status = res.status })
	body := res.body
	dst := w.Header()
	maps.Copy(dst, res.header)
	if len(body) == 0 {
		if c.sim.cfg.Sleep(c.r.Context(), over) == nil {
			w.WriteHeader(res.status)
		}
		return
	}
	w.WriteHeader(res.status)
	for i := range pieces {
		w.Write(body[len(body)*i/pieces : len(body)*(i+1)/pieces])
		http.NewResponseController(w).Flush()
		if c.sim.cfg.Sleep(c.r.Context(), over/pieces) != nil {
			return
		}
	}
}
