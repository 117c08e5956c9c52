package main

import (
	"context"
	"io"
	"strings"
	"time"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/forecast"
	"github.com/seekout/icims-export/internal/prose"
	"github.com/seekout/icims-export/store"
)

// batchForecast is a forecast and what blocks the batch.
type batchForecast struct {
	forecast forecast.Forecast
	warnings []string
}

// text formats the forecast.
func (r *batchForecast) text() string {
	return prose.Sentence(admin.ForecastText(r.forecast, time.Now(), len(r.warnings) > 0 && r.forecast.Waits == ""))
}

// forecastOf forecasts the end of an open batch. It returns nil if Redis fails, since the rest of
// the output is more important.
func (p *process) forecastOf(ctx context.Context, service *admin.Service, b store.Batch) *batchForecast {
	r, err := service.Forecasts.ETA(ctx, b, p.waits())
	if err != nil {
		return nil
	}
	return &batchForecast{r.Forecast, r.Waits}
}

// json returns the forecast, or nil.
func (r *batchForecast) json() *forecast.Forecast {
	if r == nil {
		return nil
	}
	return &r.forecast
}

// warningTexts returns the warnings.
func (r *batchForecast) warningTexts() []string {
	if r == nil {
		return nil
	}
	return r.warnings
}

// write prints the forecast and what blocks the batch.
func (r *batchForecast) write(out io.Writer, s style, width int) {
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
