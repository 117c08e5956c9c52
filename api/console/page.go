package console

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"path"
	"strings"
)

//go:embed templates/*.html
var templateFiles embed.FS

// page is a page's template with the layout and the shared parts.
type page struct{ *template.Template }

// shared are the templates that all pages include.
var shared = []string{
	"templates/layout.html", "templates/parts.html", "templates/picker.html", "templates/standing.html", "templates/integration-parts.html",
	"templates/refused_rows.html",
}

// parsePages parses all templates; a page is named after its file.
func parsePages() (map[string]page, error) {
	base, err := template.New("layout").Funcs(words).ParseFS(templateFiles, shared...)
	if err != nil {
		return nil, fmt.Errorf("parse layout: %w", err)
	}
	files, err := fs.Glob(templateFiles, "templates/*.html")
	if err != nil {
		return nil, fmt.Errorf("list templates: %w", err)
	}
	pages := map[string]page{}
	for _, file := range files {
		t, err := base.Clone()
		if err == nil {
			t, err = t.ParseFS(templateFiles, file)
		}
		if err != nil {
			return nil, fmt.Errorf("parse %s: %w", file, err)
		}
		pages[strings.TrimSuffix(path.Base(file), ".html")] = page{t}
	}
	return pages, nil
}

// frame is the data of the layout around a page.
type frame struct {
	*visit

	Title string
	Nav   []link
	// Did is a message about the last change.
	Did  string
	Body any
}

type link struct {
	Name, Path string
	Here       bool
}

// frame returns the frame of a page.
func (v *visit) frame(title string, body any) frame {
	f := frame{visit: v, Title: title, Body: body, Did: done[v.r.URL.Query().Get("did")]}
	if v.Who.Key == "" {
		return f
	}
	customer := v.Customer
	if customer == "" {
		customer = v.lastCustomer()
	}
	for _, s := range sections {
		if v.May(s.Scope) {
			f.Nav = append(f.Nav, link{s.Name, s.pathOf(customer, nil), s.ID == v.section})
		}
	}
	if v.Monitoring != nil && v.Who.AllCustomers {
		f.Nav = append(f.Nav, link{"Queues", MonitoringPath, false})
	}
	return f
}

// LoggedIn reports whether the user is known.
func (f frame) LoggedIn() bool { return f.Who.Key != "" }

// AtSessions reports whether this is the sessions page.
func (f frame) AtSessions() bool { return f.section == "sessions" }

// Choice reports whether the user can choose another customer.
func (f frame) Choice() bool { return f.Who.AllCustomers || len(f.Who.Customers) > 1 }

// Change returns the URL for choosing another customer in the same section.
func (f frame) Change() string { return "/" + f.section + "?" + url.Values{"choose": {"1"}}.Encode() }

// Again returns the page's URL if opening it again is safe; "" otherwise.
func (f frame) Again() string {
	if f.r.Method != http.MethodGet {
		return ""
	}
	return f.r.URL.RequestURI()
}

// page renders a page; title is its heading.
func (v *visit) page(name, title string, body any) error {
	v.write(http.StatusOK, name, "layout", v.frame(title, body))
	return nil
}

// pageWith renders a page with a refusal and its status.
func (v *visit) pageWith(refused *Refusal, name, title string, body any) error {
	v.refuse(refused, name, "layout", v.frame(title, body))
	return nil
}

// refuse renders a template with a refusal and its status.
func (v *visit) refuse(refused *Refusal, name, part string, data any) {
	if refused.RetryAfter != "" {
		v.w.Header().Set("Retry-After", refused.RetryAfter)
	}
	v.write(refused.Status, name, part, data)
}

// part renders a part of a page for htmx. Its template gets the body without the frame.
func (v *visit) part(name, part string, body any) error {
	v.write(http.StatusOK, name, part, body)
	return nil
}

// write renders a template and responds with it.
func (v *visit) write(status int, name, part string, data any) {
	var b bytes.Buffer
	if err := v.render(&b, name, part, data); err != nil {
		// The template's error may contain the page's data.
		v.Log.Error().Str("page", name).Str("part", part).Msg("rendering a console page failed")
		http.Error(v.w, "unexpected error", http.StatusInternalServerError)
		return
	}
	v.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	v.w.WriteHeader(status)
	_, _ = b.WriteTo(v.w) // the client is gone
}

func (v *visit) render(w io.Writer, name, part string, data any) error {
	p, ok := v.pages[name]
	if !ok {
		return fmt.Errorf("unknown page %q", name)
	}
	var b bytes.Buffer
	if err := p.ExecuteTemplate(&b, part, data); err != nil {
		return err //nolint:wrapcheck // the caller does
	}
	_, err := w.Write(visible(b.Bytes()))
	return err //nolint:wrapcheck // the caller does
}
