package admin

import (
	"strings"
	"testing"
	"time"

	"github.com/seekout/icims-export/forecast"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
	"github.com/seekout/icims-export/tasks/input"
)

func TestForecastInWords(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		change func(*forecast.Forecast)
		kept   bool
		want   string
	}{
		"across days":                        {func(f *forecast.Forecast) { f.Done = time.Date(2026, 11, 24, 14, 9, 40, 0, time.UTC) }, false, "about 12,300 calls remaining; 2,480 of 10,000 left today; done about 24 Nov, 14:10 UTC"},
		"the same day":                       {func(f *forecast.Forecast) { f.Done = now.Add(2 * time.Hour) }, false, "; done about 14:00 UTC"},
		"the next year":                      {func(f *forecast.Forecast) { f.Done = now.AddDate(1, 0, 0) }, false, "; done about 22 Nov 2027"},
		"within the hour":                    {func(f *forecast.Forecast) { f.Done = now.Add(11*time.Minute + 40*time.Second) }, false, "; done in about 12 minutes"},
		"at once":                            {func(f *forecast.Forecast) { f.Done = now.Add(time.Second) }, false, "; done within a minute"},
		"one call":                           {func(f *forecast.Forecast) { f.Calls, f.Ahead, f.Done = 1, 1, now }, false, "1 call remaining; "},
		"in turns":                           {func(f *forecast.Forecast) { f.Ahead, f.Done = 14_300, now }, false, "12,300 calls remaining, after 2,000 of other batches; 2,480"},
		"kept by what forecasts do not know": {func(f *forecast.Forecast) { f.Done = now.Add(2 * time.Hour) }, true, "; done about 14:00 UTC if resumed now"},
		"paused without end":                 {func(f *forecast.Forecast) { f.Waits = store.ReasonPaused }, false, "; ETA unknown until exports resume"},
		"never":                              {func(*forecast.Forecast) {}, false, "; cannot finish within the current limits"},
	} {
		t.Run(name, func(t *testing.T) {
			f := forecast.Forecast{Calls: 12_300, Ahead: 12_300, LeftToday: 2480, PerDay: 10_000}
			c.change(&f)
			if got := ForecastText(f, now, c.kept); !strings.Contains(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestCostInWords(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct {
		e    Estimate
		f    forecast.Forecast
		kept bool
		want string
	}{
		"one number, and between which it lies": {
			Estimate{Candidates: 100, Least: 202, Most: 404}, forecast.Forecast{Calls: 204, Ahead: 204, LeftToday: 9000, PerDay: 10_000, Done: now.Add(time.Second)}, false,
			"About 204 calls to iCIMS (202 if all candidates are new, at most 404). Currently: 9,000 of 10,000 left today; done within a minute.",
		},
		"in turns, and kept": {
			Estimate{Candidates: 100, Least: 202, Most: 404}, forecast.Forecast{Calls: 204, Ahead: 1204, LeftToday: 9000, PerDay: 10_000, Done: now.Add(time.Second)}, true,
			"Currently: 1,000 calls of other batches first; 9,000 of 10,000 left today; done within a minute if resumed now.",
		},
		"nobody would be sent": {Estimate{Skipped: 3}, forecast.Forecast{}, false, "No calls to iCIMS."},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Reckoned(c.e, c.f, "Currently", now, c.kept); !strings.HasSuffix(got, c.want) {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

// The forecast's number of calls lies within the estimated range.
func TestForecastLiesWithinTheEstimate(t *testing.T) {
	kind := store.KindOf(7, false)
	for name, measured := range map[string]store.Cost{
		"nothing was measured": {}, "exports took as many as new ones do": {Exports: 500, Calls: 1010},
		"exports took hardly any": {Exports: 500, Calls: 3}, "exports took very many": {Exports: 500, Calls: 9000},
	} {
		for _, n := range []int{0, 1, 49, 50, 51, 1000} {
			var e Estimate
			for range n {
				e.Add(input.Candidate{}, 7)
			}
			e.LookUp(50)
			d := e.Demand(store.Costs{kind: measured}, kind)
			if d.Calls < float64(e.Least) || d.Calls > float64(e.Most) || d.Express != tasks.GoesExpress(n) {
				t.Errorf("%s, %d candidates: %v calls, express %t; the estimate is %+v", name, n, d.Calls, d.Express, e)
			}
		}
	}
}
