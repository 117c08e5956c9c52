package console

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"net/http"
	"strings"
	"sync"
)

// The scripts are those of htmx.org 4.0.1 as npm has them, the licence beside them.
//
//go:embed static
var staticEmbedded embed.FS

// staticFiles serves scripts and styles without a login, since they are not secret. Their URLs
// change with their content, so that browsers can cache them.
func staticFiles() http.Handler {
	files := http.FileServerFS(staticEmbedded)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/") {
			http.NotFound(w, r) // no directory listing
			return
		}
		if r.URL.Query().Get("v") == version(r.URL.Path[1:]) && r.URL.Query().Has("v") {
			w.Header().Set("Cache-Control", "public, max-age=31536000, immutable")
		}
		files.ServeHTTP(w, r)
	})
}

// asset returns the URL of a static file.
func asset(name string) string { return "/static/" + name + "?v=" + version("static/"+name) }

var versions sync.Map // by file

func version(file string) string {
	if v, ok := versions.Load(file); ok {
		return v.(string) //nolint:forcetypeassert // nothing else is stored
	}
	data, err := staticEmbedded.ReadFile(file)
	if err != nil {
		return ""
	}
	const enough = 8
	sum := sha256.Sum256(data)
	v := hex.EncodeToString(sum[:enough])
	versions.Store(file, v)
	return v
}
