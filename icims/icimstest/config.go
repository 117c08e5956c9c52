package icimstest

import (
	"context"
	"time"
)

// Config configures a Simulator. The zero value is a usable, hostile iCIMS.
type Config struct {
	// Seed seeds all randomness. Two simulators with the same seed behave the same for the same
	// calls in the same order.
	Seed uint64
	// Now is the simulator's clock; nil means time.Now.
	Now func() time.Time
	// Behaviour is the default for tenants that do not set their own.
	Behavior Behavior
	// Faults are the initial fault rates; see SetFaults.
	Faults Faults
	// Latency delays responses.
	Latency Latency
	// Quirks are the harmless oddities that iCIMS may show at any time.
	Quirks Quirks
	// KeepCalls is how many calls the log keeps: 0 means 200,000, -1 none (counters only).
	KeepCalls int
	// MaxBody is the maximum request body in bytes; 0 means 4 MiB. Larger ones get a 413.
	MaxBody int64
	// TokenLifetime is the lifetime of an OAuth token; 0 means 24 hours.
	TokenLifetime time.Duration
	// Sleep waits for d or until ctx is done; nil uses a timer.
	Sleep func(ctx context.Context, d time.Duration) error
}

// Latency delays some responses. The zero value delays one call in twenty by 2 to 40 ms.
type Latency struct {
	None bool          `json:"none,omitempty" yaml:"none"`
	Rate float64       `json:"rate,omitempty" yaml:"rate"`
	Min  time.Duration `json:"min,omitempty" yaml:"min"`
	Max  time.Duration `json:"max,omitempty" yaml:"max"`
}

// Quirks are rates (0..1) of harmless oddities. The zero value enables all of them at their default
// rates; None disables them. A negative rate disables one.
type Quirks struct {
	None bool `json:"none,omitempty" yaml:"none"`
	// Warnings is the share of creates with a code-4 warning about a field that was stored anyway.
	// Default 0.05.
	Warnings float64 `json:"warnings,omitempty" yaml:"warnings"`
	// StringIDs is the share of search responses with quoted IDs. Default 0.3.
	StringIDs float64 `json:"string_ids,omitempty" yaml:"string_ids"`
	// Unknown is the share of responses with unknown JSON fields and headers. Default 0.3.
	Unknown float64 `json:"unknown,omitempty" yaml:"unknown"`
	// Chunked is the share of JSON responses without Content-Length. Default 0.3.
	Chunked float64 `json:"chunked,omitempty" yaml:"chunked"`
	// AscendingPortals lists portal rows by ascending ID. The default is descending, as in the
	// documentation's own sample.
	AscendingPortals bool `json:"ascending_portals,omitempty" yaml:"ascending_portals"`
}

func (c Config) withDefaults() Config {
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.KeepCalls == 0 {
		c.KeepCalls = 200_000
	}
	if c.MaxBody == 0 {
		c.MaxBody = 4 << 20
	}
	if c.TokenLifetime == 0 {
		c.TokenLifetime = 24 * time.Hour
	}
	if c.Sleep == nil {
		c.Sleep = sleep
	}
	c.Latency = c.Latency.withDefaults()
	c.Quirks = c.Quirks.withDefaults()
	c.Behavior = c.Behavior.withDefaults()
	c.Faults = c.Faults.withDefaults()
	return c
}

func (l Latency) withDefaults() Latency {
	if l == (Latency{}) {
		return Latency{Rate: 0.05, Min: 2 * time.Millisecond, Max: 40 * time.Millisecond}
	}
	if l.Rate == 0 && l.Max > 0 {
		l.Rate = 1
	}
	return l
}

func (q Quirks) withDefaults() Quirks {
	if q.None {
		return Quirks{None: true, AscendingPortals: q.AscendingPortals}
	}
	set := func(rate *float64, def float64) {
		switch {
		case *rate == 0:
			*rate = def
		case *rate < 0:
			*rate = 0
		}
	}
	set(&q.Warnings, 0.05)
	set(&q.StringIDs, 0.3)
	set(&q.Unknown, 0.3)
	set(&q.Chunked, 0.3)
	return q
}

func sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
