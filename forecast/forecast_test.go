package forecast_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seekout/icims-export/forecast"
	"github.com/seekout/icims-export/store"
)

func TestForecast(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	midnight := now.Add(12 * time.Hour)
	limits := store.Limits{CallsPerSecond: 5, Burst: 10, InFlight: 4, CallsPerDay: 10_000}
	base := store.QuotaStatus{Budget: 10_000, Left: 10_000, WindowEnd: midnight, CallsPerSecond: 5, MaxInFlight: 4}
	const calls = 3000
	want := forecast.Forecast{Calls: calls, Ahead: calls, LeftToday: 10_000, PerDay: 10_000, Resets: midnight, Done: now.Add(10 * time.Minute)}
	for name, c := range map[string]struct {
		standing func(*store.QuotaStatus)
		demand   func(*forecast.Demand)
		limits   func(*store.Limits)
		want     func(*forecast.Forecast)
	}{
		"calls left go at the rate": {},
		"a customer who was never called goes by the connection": {
			standing: func(s *store.QuotaStatus) { *s = store.QuotaStatus{} },
			limits:   func(l *store.Limits) { l.CallsPerSecond, l.CallsPerDay = 50, 9000 },
			want: func(f *forecast.Forecast) {
				f.LeftToday, f.PerDay, f.Done = 9000, 9000, now.Add(time.Minute)
			},
		},
		"calls of other batches come first": {
			demand: func(d *forecast.Demand) { d.Others = 3600 },
			want:   func(f *forecast.Forecast) { f.Ahead, f.Done = 6600, now.Add(22*time.Minute) },
		},
		"a small batch waits for no other and may use what is in reserve": {
			standing: func(s *store.QuotaStatus) { s.Left = calls },
			demand:   func(d *forecast.Demand) { d.Others, d.Express = 3600, true },
			limits:   func(l *store.Limits) { l.ExpressReserve = 50 },
			want:     func(f *forecast.Forecast) { f.LeftToday = calls },
		},
		"a large one does wait for what is in reserve": {
			standing: func(s *store.QuotaStatus) { s.Left = calls },
			limits:   func(l *store.Limits) { l.ExpressReserve = 5 },
			want:     func(f *forecast.Forecast) { f.LeftToday, f.Done = calls, midnight.Add(-15*time.Minute) },
		},
		"a pause delays it and is reported": {
			standing: func(s *store.QuotaStatus) { s.Pause = &store.Pause{By: "joe", Until: now.Add(time.Hour)} },
			want: func(f *forecast.Forecast) {
				f.Waits, f.Until, f.Done = store.ReasonPaused, now.Add(time.Hour), now.Add(70*time.Minute)
			},
		},
		"a pause without an end has no forecast": {
			standing: func(s *store.QuotaStatus) { s.Pause = &store.Pause{By: "joe"} },
			want:     func(f *forecast.Forecast) { f.Waits, f.Done = store.ReasonPaused, time.Time{} },
		},
		"a refused account waits for a user, not for the next try": {
			standing: func(s *store.QuotaStatus) {
				s.ClosedExpress = store.Closure{Reason: "icims_credentials", Until: now.Add(time.Minute)}
			},
			want: func(f *forecast.Forecast) {
				f.Waits, f.Until, f.Done = "icims_credentials", now.Add(time.Minute), time.Time{}
			},
		},
		"a 429 puts it off": {
			standing: func(s *store.QuotaStatus) {
				s.ClosedExpress = store.Closure{Reason: "icims_rate_limited", Until: now.Add(30 * time.Minute)}
			},
			want: func(f *forecast.Forecast) {
				f.Waits, f.Until, f.Done = "icims_rate_limited", now.Add(30*time.Minute), now.Add(40*time.Minute)
			},
		},
		"calls used up by iCIMS's count go on after the reset": {
			standing: func(s *store.QuotaStatus) {
				s.ClosedExpress = store.Closure{Reason: "icims_quota_exhausted", Until: midnight}
				s.Closed = s.ClosedExpress
			},
			want: func(f *forecast.Forecast) { f.LeftToday, f.Done = 0, midnight.Add(10*time.Minute) },
		},
		"what is kept from large batches for now is no wait": {
			standing: func(s *store.QuotaStatus) {
				s.Closed = store.Closure{Reason: "icims_quota_exhausted", Until: now.Add(time.Hour)}
			},
		},
		"a slow iCIMS makes it later": {
			standing: func(s *store.QuotaStatus) { s.Rate, s.InFlight = 2.5, 4 },
			want:     func(f *forecast.Forecast) { f.Done = now.Add(20 * time.Minute) },
		},
		"a beginning does not": {
			standing: func(s *store.QuotaStatus) { s.Rate, s.InFlight = 0.5, 4 },
		},
		"nor too little to do": {
			standing: func(s *store.QuotaStatus) { s.Rate, s.InFlight = 2.5, 1 },
		},
		"what others spent until noon they spend again until midnight": {
			standing: func(s *store.QuotaStatus) { s.Left, s.Others = 4000, 2000 },
			want:     func(f *forecast.Forecast) { f.LeftToday, f.Done = 4000, midnight.Add(200*time.Second) },
		},
	} {
		t.Run(name, func(t *testing.T) {
			standing, demand, limits, want := base, forecast.Demand{Calls: calls}, limits, want
			if c.standing != nil {
				c.standing(&standing)
			}
			if c.demand != nil {
				c.demand(&demand)
			}
			if c.limits != nil {
				c.limits(&limits)
			}
			if c.want != nil {
				c.want(&want)
			}
			if diff := cmp.Diff(want, forecast.Of(now, demand, standing, limits)); diff != "" {
				t.Error(diff)
			}
		})
	}
}
