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

// page is a page's template, with the layout and the parts that pages share.
type page struct{ *template.Template }

// shared are the templates that each page has.
var shared = []string{
	"templates/layout.html", "templates/parts.html", "templates/picker.html", "templates/standing.html", "templates/integration-parts.html",
	"templates/refused_rows.html",
}

// parsePages reads all templates; a page's name is that of its file.
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

// frame is what the layout shows around a page.
type frame struct {
	*visit

	Title string
	Nav   []link
	// Did is a sentence about what was just done.
	Did  string
	Body any
}

type link struct {
	Name, Path string
	Here       bool
}

// frame is the frame of a page.
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

// LoggedIn reports whether it is known who looks.
func (f frame) LoggedIn() bool { return f.Who.Key != "" }

// AtSessions reports whether it is the page of the sessions.
func (f frame) AtSessions() bool { return f.section == "sessions" }

// Choice reports whether there is another customer to choose.
func (f frame) Choice() bool { return f.Who.AllCustomers || len(f.Who.Customers) > 1 }

// Change is where another customer is chosen, for the same section.
func (f frame) Change() string { return "/" + f.section + "?" + url.Values{"choose": {"1"}}.Encode() }

// Again is the page's address, where nothing is lost by opening it once more; else "".
func (f frame) Again() string {
	if f.r.Method != http.MethodGet {
		return ""
	}
	return f.r.URL.RequestURI()
}

// page answers with a page; title is its heading.
func (v *visit) page(name, title string, body any) error {
	v.write(http.StatusOK, name, "layout", v.frame(title, body))
	return nil
}

// pageWith answers with a page that shows what was refused; the status is that of the refusal.
func (v *visit) pageWith(refused *Refusal, name, title string, body any) error {
	v.refuse(refused, name, "layout", v.frame(title, body))
	return nil
}

// refuse answers with a template that shows what was refused.
func (v *visit) refuse(refused *Refusal, name, part string, data any) {
	if refused.RetryAfter != "" {
		v.w.Header().Set("Retry-After", refused.RetryAfter)
	}
	v.write(refused.Status, name, part, data)
}

// part answers with a part of a page, which htmx puts in its place. The part sees the
// body as it is, without the frame.
func (v *visit) part(name, part string, body any) error {
	v.write(http.StatusOK, name, part, body)
	return nil
}

// write answers with a template, if it can be executed.
func (v *visit) write(status int, name, part string, data any) {
	var b bytes.Buffer
	if err := v.render(&b, name, part, data); err != nil {
		// What the template says may hold what it was to show.
		v.Log.Error().Str("page", name).Str("part", part).Msg("rendering a console page failed")
		http.Error(v.w, "unexpected error", http.StatusInternalServerError)
		return
	}
	v.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	v.w.WriteHeader(status)
	_, _ = b.WriteTo(v.w) // nobody is left to tell
}

func (v *visit) render(w io.Writer, name, part string, data any) error {
	p, ok := v.pages[name]
	if !ok {
		return fmt.Errorf("unknown page %q", name)
	}
	var b bytes.Buffer
	if err := p.ExecuteTemplate(&b, part, data); err != nil {
		return err //nolint:wrapcheck // whoever calls does
	}
	_, err := w.Write(visible(b.Bytes()))
	return err //nolint:wrapcheck // as above
}
