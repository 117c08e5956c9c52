package main

import (
	"context"
	"io"
	"strings"
	"time"

	"github.com/seekout/icims-export/forecast"
	"github.com/seekout/icims-export/internal/prose"
	"github.com/seekout/icims-export/operate"
	"github.com/seekout/icims-export/store"
)

// prospect is a forecast and what blocks the batch.
type prospect struct {
	forecast forecast.Forecast
	warnings []string
}

// text formats the forecast.
func (r *prospect) text() string {
	return prose.Sentence(operate.Foretold(r.forecast, time.Now(), len(r.warnings) > 0 && r.forecast.Waits == ""))
}

// prospectOf forecasts the end of an open batch. It returns nil if Redis fails, since the rest of
// the output is more important.
func (p *process) prospectOf(ctx context.Context, desk *operate.Desk, b store.Batch) *prospect {
	r, err := desk.Prospect(ctx, b, p.waits())
	if err != nil {
		return nil
	}
	return &prospect{r.Forecast, r.Waits}
}

// json returns the forecast, or nil.
func (r *prospect) json() *forecast.Forecast {
	if r == nil {
		return nil
	}
	return &r.forecast
}

// heed returns the warnings.
func (r *prospect) heed() []string {
	if r == nil {
		return nil
	}
	return r.warnings
}

// write prints the forecast and what blocks the batch.
func (r *prospect) write(out io.Writer, s style, width int) {
	if r == nil {
		return
	}
	hang(out, width, "", r.text())
	for _, w := range r.warnings {
		writeWarning(out, s, width, w)
	}
}

// writeWarning prints a sentence marked as a warning.
func writeWarning(out io.Writer, s style, width int, text string) {
	var b strings.Builder
	hang(&b, width, "! ", text)
	_, _ = io.WriteString(out, s.paint(yellow, "!")+b.String()[1:])
}
