package console

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
)

// event is one of a stream of server-sent events. A comment is an event without a kind.
type event struct {
	id, kind string
	data     []byte
}

// parseEvent reads an event without the empty line at its end. The API writes its data
// in one line.
func parseEvent(text []byte) event {
	var e event
	for line := range bytes.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSuffix(string(line), "\n"), ":")
		value = strings.TrimPrefix(value, " ")
		switch name {
		case "id":
			e.id = value
		case "event":
			e.kind = value
		case "data":
			e.data = []byte(value)
		}
	}
	return e
}

// stream begins an answer that is a stream of events.
func (v *visit) stream() {
	h := v.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // a proxy is not to collect them
	v.w.WriteHeader(http.StatusOK)
}

// tellPart writes a part of a page as an event, for hx-sse to put in its place.
func (v *visit) tellPart(id, page, part string, data any) error {
	var html bytes.Buffer
	if err := v.render(&html, page, part, data); err != nil {
		return err
	}
	var text strings.Builder
	if id != "" {
		text.WriteString("id: " + id + "\n")
	}
	writeData(&text, html.String())
	return v.tellText(text.String() + "\n")
}

// lineEnds are those that end a line of an event as well. A page may have them within a
// text, of which the rest would be lost.
var lineEnds = strings.NewReplacer("\r\n", "\n", "\r", "\n")

// writeData writes the lines of an event's data.
func writeData(b *strings.Builder, data string) {
	for line := range strings.Lines(lineEnds.Replace(data)) {
		b.WriteString("data: " + strings.TrimSuffix(line, "\n") + "\n")
	}
}

// tellEnd writes the event by which hx-sse:close="end" ends the stream.
func (v *visit) tellEnd() error { return v.tellText("event: end\ndata:\n\n") }

// tellText writes events as they are, such as the comment that keeps a stream alive.
func (v *visit) tellText(text string) error {
	if _, err := v.w.Write([]byte(text)); err != nil {
		return fmt.Errorf("write event: %w", err)
	}
	return http.NewResponseController(v.w).Flush() //nolint:wrapcheck // nobody reads it
}
