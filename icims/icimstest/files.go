package icimstest

import (
	"bytes"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net/http"
)

// file is the content of a file field.
type file struct {
	name, media string
	data        []byte
}

func (c *call) fileField() (*person, *field, *answer) {
	p, missing := c.person()
	if missing != nil {
		return nil, nil, missing
	}
	f := c.tenant.fields[c.arg("field")]
	if f == nil || f.kind != kindFile {
		a := badRequest(invalid(c.arg("field"), "The field is not a file."))
		return nil, nil, &a
	}
	return p, f, nil
}

func fileGet(c *call) answer {
	c.tenant.mu.RLock()
	defer c.tenant.mu.RUnlock()
	p, f, missing := c.fileField()
	if missing != nil {
		return *missing
	}
	stored, has := p.files[f.name]
	if !has {
		return notFound("File")
	}
	return answer{status: http.StatusOK, raw: stored.data, rawType: stored.media}
}

// fileText returns text files only; nothing else is extracted.
func fileText(c *call) answer {
	a := fileGet(c)
	if media, _, _ := mime.ParseMediaType(a.rawType); a.status == http.StatusOK && media != "text/plain" {
		return notFound("Text")
	}
	if a.status == http.StatusOK {
		a.rawType = "text/plain;charset=UTF-8"
	}
	return a
}

// filePatch accepts one file part of a multipart form.
func filePatch(c *call) answer {
	media, params, err := mime.ParseMediaType(c.r.Header.Get("Content-Type"))
	if err != nil || media != "multipart/form-data" {
		return refuse(http.StatusUnsupportedMediaType, problem{code: codeOther, detail: "The content type must be multipart/form-data."})
	}
	part, err := multipart.NewReader(bytes.NewReader(c.body), params["boundary"]).NextPart()
	if err != nil || part.FileName() == "" {
		return badRequest(problem{code: codeOther, detail: "The form must hold one file with a file name."})
	}
	data, err := io.ReadAll(part)
	if err != nil {
		return badRequest(problem{code: codeOther, detail: "The file could not be read."})
	}
	t := c.tenant
	t.mu.Lock()
	defer t.mu.Unlock()
	p, f, missing := c.fileField()
	if missing != nil {
		return *missing
	}
	files := maps.Clone(p.files)
	if files == nil {
		files = map[string]file{}
	}
	files[f.name] = file{name: part.FileName(), media: part.Header.Get("Content-Type"), data: data}
	p.files, p.updated = files, c.now
	c.effect = true
	return noContent()
}

// fileDelete deletes any file except a person's resume.
func fileDelete(c *call) answer {
	c.tenant.mu.Lock()
	defer c.tenant.mu.Unlock()
	p, f, missing := c.fileField()
	if missing != nil {
		return *missing
	}
	if f.name == "resume" {
		return refuse(http.StatusMethodNotAllowed, problem{code: codeOther, detail: "A resume cannot be deleted."})
	}
	files := maps.Clone(p.files)
	delete(files, f.name)
	p.files = files
	c.effect = true
	return noContent()
}
