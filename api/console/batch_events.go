package console

import (
	"encoding/json"
	"fmt"

	"github.com/seekout/icims-export/api"
)

// batchEvents converts the API's events of a batch into parts of its page. It sends "step" after
// changes that are announced to screen readers, and "end" last.
func (v *visit) batchEvents() error {
	var header []string
	if last := v.r.Header.Get("Last-Event-ID"); last != "" {
		header = []string{"Last-Event-ID", last}
	}
	begun, step := false, ""
	err := v.follow(v.batchPath("events"), func(e event) error {
		if !begun {
			begun = true
			v.stream()
		}
		switch e.kind {
		case "":
			return v.sendText(": still here\n\n")
		case "problem": // the session or its API key has ended
			if err := v.sendPart("", "login", "session-over", nil); err != nil {
				return err
			}
			return v.sendEnd()
		}
		var b api.BatchStatus
		if err := json.Unmarshal(e.data, &b); err != nil {
			return fmt.Errorf("read event: %w", err)
		}
		s := v.standingOf(b)
		if err := v.sendPart(e.id, "batch", "standing", s); err != nil {
			return err
		}
		if e.kind == "end" {
			return v.sendEnd()
		}
		if step != "" && step != s.Step() {
			if err := v.sendText("event: step\ndata:\n\n"); err != nil {
				return err
			}
		}
		step = s.Step()
		return nil
	}, header...)
	switch {
	case begun:
		return nil // the browser reconnects if this was too early
	case err != nil:
		return err
	}
	v.stream() // "end" was sent before
	return v.sendEnd()
}
