package otlp

import (
	"context"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"go.opentelemetry.io/otel/sdk/trace"
)

// delivery is an exporter that logs failures at a limited rate and otherwise ignores them.
type delivery struct {
	trace.SpanExporter

	log    zerolog.Logger
	now    func() time.Time
	ending context.Context //nolint:containedctx // lifetime of the exporter
	giveUp context.CancelFunc

	mu   sync.Mutex
	told time.Time
	lost int // spans since the last log entry
}

// tellEvery is how often a failure is logged.
const tellEvery = time.Minute

func newDelivery(e trace.SpanExporter, log zerolog.Logger) *delivery {
	d := &delivery{SpanExporter: e, log: log, now: time.Now}
	d.ending, d.giveUp = context.WithCancel(context.Background())
	return d
}

// ExportSpans exports spans until shutdown.
func (d *delivery) ExportSpans(ctx context.Context, spans []trace.ReadOnlySpan) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(d.ending, func() { cancel(context.Canceled) })()
	if err := d.SpanExporter.ExportSpans(ctx, spans); err != nil {
		d.failed(len(spans), err)
	}
	return nil
}

func (d *delivery) failed(spans int, err error) {
	if d.ending.Err() != nil {
		return // shutting down; already logged
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lost += spans
	if now := d.now(); d.told.IsZero() || now.Sub(d.told) >= tellEvery {
		d.log.Warn().Err(err).Int("spans", d.lost).Msg("cannot export traces; candidate exports are not affected")
		d.told, d.lost = now, 0
	}
}
