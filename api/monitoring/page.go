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
	"io"
	"net/http"
	"net/url"
	"strings"

	"golang.org/x/net/html"
)

// The frame is what we put around asynqmon's page.
var (
	//go:embed frame/page.html
	framePage string
	//go:embed frame/frame.css
	frameStyle []byte
	//go:embed frame/frame.js
	frameScript []byte

	frame = template.Must(template.New("page").Parse(framePage))
)

// page is asynqmon's page as we serve it: its scripts, in a page of our own.
type page struct {
	Path    string
	Style   string
	Icons   []string
	Scripts []string // ours first, then asynqmon's in their order
	// Nonce is another one in each answer.
	Nonce string
}

// adopt takes over asynqmon's page: what it links to becomes files of ours, and the
// scripts that stand in it as well. Links that lead outside are left out, which are those
// to a font; a script from outside is an error.
func (h *Handler) adopt(inner http.Handler) (*page, error) {
	p := &page{Path: h.options.Path, Style: h.addInline("frame", ".css", frameStyle), Scripts: []string{h.addInline("frame", ".js", frameScript)}}
	z := html.NewTokenizer(&askInner(inner, http.MethodGet, &url.URL{Path: h.options.Path}).body)
	for {
		switch z.Next() {
		case html.ErrorToken:
			if !errors.Is(z.Err(), io.EOF) {
				return nil, fmt.Errorf("asynqmon's page: %w", z.Err())
			}
			if len(p.Scripts) < 3 || len(p.Icons) == 0 {
				return nil, errors.New("asynqmon's page has no scripts or no icons: is it another version?")
			}
			return p, nil
		case html.StartTagToken, html.SelfClosingTagToken:
			token := z.Token()
			var err error
			switch {
			case token.Data == "script" && attribute(token, "src") == "" && z.Next() == html.TextToken:
				p.Scripts = append(p.Scripts, h.addInline("inline", ".js", bytes.Clone(z.Text())))
			case token.Data == "script":
				p.Scripts, err = h.addLinked(inner, p.Scripts, attribute(token, "src"))
			case token.Data == "link" && attribute(token, "rel") == "icon":
				p.Icons, err = h.addLinked(inner, p.Icons, attribute(token, "href"))
			}
			if err != nil {
				return nil, err
			}
		default:
		}
	}
}

func attribute(token html.Token, name string) string {
	for _, a := range token.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// addInline makes a file of a text, and returns its address.
func (h *Handler) addInline(name, kind string, text []byte) string {
	sum := sha256.Sum256(text)
	path := "/static/" + name + "-" + hex.EncodeToString(sum[:8]) + kind
	h.files[path] = newFile(path, text)
	return h.options.Path + path
}

// addLinked makes a file of what asynqmon serves under an address of its page, and adds
// the address to a list.
func (h *Handler) addLinked(inner http.Handler, list []string, address string) ([]string, error) {
	path, under := strings.CutPrefix(address, h.options.Path+"/")
	if !under {
		return nil, fmt.Errorf("asynqmon's page loads %q from outside", address)
	}
	path = "/" + path
	text := askInner(inner, http.MethodGet, &url.URL{Path: address})
	if text.status != http.StatusOK || isPage(text) {
		return nil, fmt.Errorf("asynqmon does not serve %q", address)
	}
	h.files[path] = newFile(path, text.body.Bytes())
	// The licences of what is in a script go with it.
	if licence := askInner(inner, http.MethodGet, &url.URL{Path: address + ".LICENSE.txt"}); licence.status == http.StatusOK && !isPage(licence) {
		h.files[path+".LICENSE.txt"] = newFile(path+".LICENSE.txt", licence.body.Bytes())
	}
	return append(list, address), nil
}

// isPage reports whether an answer is asynqmon's page, which it gives for whatever it
// does not have.
func isPage(s *seen) bool {
	return bytes.HasPrefix(bytes.ToLower(s.body.Bytes()), []byte("<!doctype html"))
}

// serveUI serves a file, or the page, which shows by itself what the address asks for.
func (h *Handler) serveUI(w http.ResponseWriter, r *http.Request, path string, p *page) {
	if f := h.files[path]; f != nil {
		f.serve(w, r)
		return
	}
	if last := path[strings.LastIndex(path, "/")+1:]; strings.HasPrefix(path, "/static/") || strings.Contains(last, ".") {
		refuse(w, http.StatusNotFound, "There is no such file.")
		return
	}
	answer := *p
	answer.Nonce = rand.Text()
	var text bytes.Buffer
	if err := frame.Execute(&text, answer); err != nil {
		h.options.Log.Error().Err(err).Msg("asynq's web UI cannot be shown")
		refuse(w, http.StatusInternalServerError, "The page could not be made.")
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", policy(answer.Nonce))
	_, _ = w.Write(text.Bytes())
}

// policy is the Content-Security-Policy of the page. It is the console's but for the
// nonce: asynqmon makes its styles in the browser.
func policy(nonce string) string {
	return "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-" + nonce + "'; img-src 'self'; connect-src 'self'; " +
		"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
}
