package monitoring

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// The frame around asynqmon's page.
var (
	//go:embed frame/page.html
	framePage string
	//go:embed frame/frame.css
	frameStyle []byte
	//go:embed frame/frame.js
	frameScript []byte

	frame = template.Must(template.New("page").Parse(framePage))
)

// page is asynqmon's page as it is served: asynqmon's scripts in our own HTML.
type page struct {
	Path    string
	Style   string
	Icons   []string
	Scripts []string // ours first, then asynqmon's in order
	// Nonce differs in each response.
	Nonce string
}

var (
	script = regexp.MustCompile(`(?s)<script(?: src="([^"]*)")?>(.*?)</script>`)
	icon   = regexp.MustCompile(`<link rel="icon"[^>]* href="([^"]*)"`)
)

// adopt reads asynqmon's page and makes files of its scripts and icons, including inline scripts.
// It drops other links, which load a font. A script from another host is an error.
func (h *Handler) adopt(inner http.Handler) (*page, error) {
	p := &page{Path: h.options.Path, Style: h.addInline("frame", ".css", frameStyle), Scripts: []string{h.addInline("frame", ".js", frameScript)}}
	text := queryInner(inner, http.MethodGet, &url.URL{Path: h.options.Path}, nil).body.Bytes()
	scripts := script.FindAllSubmatch(text, -1)
	icons := icon.FindAllSubmatch(text, -1)
	if len(scripts) < 2 || len(scripts) != bytes.Count(text, []byte("<script")) || len(icons) == 0 {
		return nil, errors.New("asynqmon's page has an unexpected form: is it another version?")
	}
	var err error
	for _, m := range scripts {
		if address := string(m[1]); address == "" {
			p.Scripts = append(p.Scripts, h.addInline("inline", ".js", m[2]))
		} else if p.Scripts, err = h.addLinked(inner, p.Scripts, address); err != nil {
			return nil, err
		}
	}
	for _, m := range icons {
		if p.Icons, err = h.addLinked(inner, p.Icons, string(m[1])); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// addInline adds a file with a text, and returns its URL.
func (h *Handler) addInline(name, kind string, text []byte) string {
	sum := sha256.Sum256(text)
	path := "/static/" + name + "-" + hex.EncodeToString(sum[:8]) + kind
	h.files[path] = newFile(path, text)
	return h.options.Path + path
}

// addLinked adds a file that asynqmon's page links to, and appends its URL to a list.
func (h *Handler) addLinked(inner http.Handler, list []string, address string) ([]string, error) {
	path, under := strings.CutPrefix(address, h.options.Path+"/")
	if !under {
		return nil, fmt.Errorf("asynqmon's page loads %q from outside", address)
	}
	path = "/" + path
	text := queryInner(inner, http.MethodGet, &url.URL{Path: address}, nil)
	if text.status != http.StatusOK || isPage(text) {
		return nil, fmt.Errorf("asynqmon does not serve %q", address)
	}
	h.files[path] = newFile(path, text.body.Bytes())
	// Include the licenses of a script's libraries.
	if licence := queryInner(inner, http.MethodGet, &url.URL{Path: address + ".LICENSE.txt"}, nil); licence.status == http.StatusOK && !isPage(licence) {
		h.files[path+".LICENSE.txt"] = newFile(path+".LICENSE.txt", licence.body.Bytes())
	}
	return append(list, address), nil
}

// isPage reports whether a response is asynqmon's page, which it serves for unknown paths.
func isPage(s *seen) bool {
	return bytes.HasPrefix(bytes.ToLower(s.body.Bytes()), []byte("<!doctype html"))
}

// uselessPages are pages of asynqmon that are useless for icims-export.
var uselessPages = []string{"/schedulers", "/redis", "/q/metrics"}

// serveUI serves a file, or the page, which routes by URL itself.
func (h *Handler) serveUI(w http.ResponseWriter, r *http.Request, path string, p *page) {
	if slices.Contains(uselessPages, path) {
		http.Redirect(w, r, h.options.Path, http.StatusSeeOther)
		return
	}
	if f := h.files[path]; f != nil {
		f.serve(w, r)
		return
	}
	if last := path[strings.LastIndex(path, "/")+1:]; strings.HasPrefix(path, "/static/") || strings.Contains(last, ".") {
		refuse(w, http.StatusNotFound, "File not found.")
		return
	}
	answer := *p
	answer.Nonce = rand.Text()
	var text bytes.Buffer
	if err := frame.Execute(&text, answer); err != nil {
		h.options.Log.Error().Err(err).Msg("rendering asynq's web UI failed")
		refuse(w, http.StatusInternalServerError, "Rendering the page failed.")
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", policy(answer.Nonce))
	_, _ = w.Write(text.Bytes())
}

// policy returns the page's Content-Security-Policy: the console's with a nonce, since asynqmon
// creates styles in the browser.
func policy(nonce string) string {
	return "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-" + nonce + "'; img-src 'self'; connect-src 'self'; " +
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}
