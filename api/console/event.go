package console

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
)

// event is a server-sent event. A comment is an event without a kind.
type event struct {
	id, kind string
	data     []byte
}

// parseEvent parses an event without its final empty line. The API writes the data in one line.
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

// stream starts a response with a stream of events.
func (v *visit) stream() {
	h := v.w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("X-Accel-Buffering", "no") // keeps nginx from buffering
	v.w.WriteHeader(http.StatusOK)
}

// sendPart sends a part of a page as an event for hx-sse.
func (v *visit) sendPart(id, page, part string, data any) error {
	var html bytes.Buffer
	if err := v.render(&html, page, part, data); err != nil {
		return err
	}
	var text strings.Builder
	if id != "" {
		text.WriteString("id: " + id + "\n")
	}
	writeData(&text, html.String())
	return v.sendText(text.String() + "\n")
}

// lineEnds are replaced by line feeds, which end a line of an event. Page text may contain other
// line ends, after which a browser would lose the rest.
var lineEnds = strings.NewReplacer("\r\n", "\n", "\r", "\n")

// writeData writes data as the lines of an event.
func writeData(b *strings.Builder, data string) {
	for line := range strings.Lines(lineEnds.Replace(data)) {
		b.WriteString("data: " + strings.TrimSuffix(line, "\n") + "\n")
	}
}

// sendEnd sends the event that hx-sse:close="end" waits for.
func (v *visit) sendEnd() error { return v.sendText("event: end\ndata:\n\n") }

// sendText sends raw events, such as the comment that keeps a stream alive.
func (v *visit) sendText(text string) error {
	if _, err := v.w.Write([]byte(text)); err != nil {
		return fmt.Errorf("write event: %w", err)
	}
	return http.NewResponseController(v.w).Flush() //nolint:wrapcheck // the caller only needs to know that it failed
}
