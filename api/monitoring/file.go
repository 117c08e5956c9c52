package monitoring

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"path"
	"regexp"
	"strings"
	"sync"
	"time"
)

// file is a file of the page.
type file struct {
	kind string // its content type
	tag  string
	// fixed means that its name changes with its content.
	fixed  bool
	text   []byte
	packed func() []byte // nil if compression does not help
}

// hashed matches names that change with the file's content.
var hashed = regexp.MustCompile(`[.-][0-9a-f]{8,16}\.(chunk\.)?(js|css)$`)

func newFile(name string, text []byte) *file {
	sum := sha256.Sum256(text)
	f := &file{tag: `"` + hex.EncodeToString(sum[:8]) + `"`, fixed: hashed.MatchString(name), text: text}
	switch path.Ext(name) {
	case ".js":
		f.kind = "text/javascript; charset=utf-8"
	case ".css":
		f.kind = "text/css; charset=utf-8"
	case ".txt":
		f.kind = "text/plain; charset=utf-8"
	default:
		f.kind = http.DetectContentType(text)
	}
	if strings.HasPrefix(f.kind, "text/") && len(text) > 10_000 {
		f.packed = sync.OnceValue(func() []byte { return pack(text) })
	}
	return f
}

func pack(text []byte) []byte {
	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, _ = w.Write(text) // into memory
	_ = w.Close()
	return packed.Bytes()
}

func (f *file) serve(w http.ResponseWriter, r *http.Request) {
	header, text, tag := w.Header(), f.text, f.tag
	header.Set("Content-Type", f.kind)
	header.Set("Cache-Control", "no-cache")
	if f.fixed {
		header.Set("Cache-Control", "private, max-age=31536000, immutable")
	}
	if f.packed != nil {
		header.Set("Vary", "Accept-Encoding")
		if strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
			header.Set("Content-Encoding", "gzip")
			text, tag = f.packed(), strings.TrimSuffix(tag, `"`)+`-gzip"`
		}
	}
	header.Set("ETag", tag)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(text))
}
