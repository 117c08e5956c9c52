package forecast

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestPlan(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	midnight := time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC)
	base := plan{Now: noon, PerSecond: 5, PerDay: 10_000, Left: 10_000, DayEnd: midnight}
	for name, c := range map[string]struct {
		change func(*plan)
		want   time.Time
	}{
		"nothing to do is done now":                                       {func(o *plan) { o.Calls = 0 }, noon},
		"within the day the rate decides":                                 {func(o *plan) { o.Calls = 6000 }, noon.Add(20 * time.Minute)},
		"over the daily quota it continues after the reset":               {func(o *plan) { o.Calls, o.Left = 6000, 3000 }, midnight.Add(10 * time.Minute)},
		"and over several resets":                                         {func(o *plan) { o.Calls, o.Left = 24_500, 1500 }, midnight.Add(48*time.Hour + 10*time.Minute)},
		"exactly full days end with the last call, not at the next reset": {func(o *plan) { o.Calls, o.Left = 20_000, 0 }, midnight.Add(24*time.Hour + 2000*time.Second)},
		"calls of others come before its end":                             {func(o *plan) { o.Calls, o.Others = 3000, 600 }, noon.Add(12 * time.Minute)},
		"a pause puts it off":                                             {func(o *plan) { o.Calls, o.Opens = 3000, noon.Add(time.Hour) }, noon.Add(70 * time.Minute)},
		"a pause into another day brings its full budget":                 {func(o *plan) { o.Calls, o.Left, o.Opens = 3000, 0, midnight.Add(5*time.Hour) }, midnight.Add(5*time.Hour + 10*time.Minute)},
		"a pause that is over is none":                                    {func(o *plan) { o.Calls, o.Opens = 3000, noon.Add(-time.Hour) }, noon.Add(10 * time.Minute)},
		"a day that is over is followed by a full one":                    {func(o *plan) { o.Calls, o.Left, o.DayEnd = 3000, 0, noon.Add(-time.Minute) }, noon.Add(10 * time.Minute)},
		"what is kept in reserve comes as the day passes":                 {func(o *plan) { o.Calls, o.Left, o.Reserve = 9900, 10_000, 0.05 }, midnight.Add(-4 * time.Hour)},
		"the last of it a quarter of an hour before the reset":            {func(o *plan) { o.Calls, o.Left, o.Reserve = 10_000, 10_000, 0.05 }, midnight.Add(-15 * time.Minute)},
		"what is not in reserve does not wait":                            {func(o *plan) { o.Calls, o.Left, o.Reserve = 3000, 10_000, 0.05 }, noon.Add(10 * time.Minute)},
		"what others spend is gone":                                       {func(o *plan) { o.Calls, o.Left, o.Foreign = 9000, 4000, 2000 }, midnight.Add(20 * time.Minute)},
		"a slow rate leaves the budget unused":                            {func(o *plan) { o.Calls, o.PerSecond = 8640, 0.1 }, noon.Add(24 * time.Hour)},
	} {
		t.Run(name, func(t *testing.T) {
			o := base
			c.change(&o)
			got, ok := o.done()
			if !ok || got.Sub(c.want).Abs() > time.Second {
				t.Errorf("done %s (%v), want %s", got, ok, c.want)
			}
		})
	}
	for name, change := range map[string]func(*plan){
		"without a rate":                         func(o *plan) { o.PerSecond = 0 },
		"without a budget":                       func(o *plan) { o.Left, o.PerDay = 0, 0 },
		"where others spend everything":          func(o *plan) { o.Left, o.Foreign = 0, 10_000 },
		"where it would take a hundred years":    func(o *plan) { o.Calls, o.PerDay = 1e9, 1 },
		"where others take what is left as well": func(o *plan) { o.Left, o.Foreign = 4000, 10_000 },
	} {
		t.Run("it is never done "+name, func(t *testing.T) {
			o := base
			o.Calls = 6000
			change(&o)
			if at, ok := o.done(); ok {
				t.Errorf("done %s", at)
			}
		})
	}
}

func TestPlanIsNeverEarlierWithMoreToDo(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		now := time.Unix(1_800_000_000, 0)
		perDay := rapid.IntRange(1, 20_000).Draw(t, "per day")
		o := plan{
			Now: now, PerSecond: rapid.Float64Range(0.01, 300).Draw(t, "per second"), PerDay: perDay,
			Left:    rapid.IntRange(0, perDay).Draw(t, "left"),
			DayEnd:  now.Add(time.Duration(rapid.Int64Range(-100_000, 86_400).Draw(t, "day ends in")) * time.Second),
			Reserve: rapid.Float64Range(0, 0.2).Draw(t, "reserve"),
			Foreign: rapid.Float64Range(0, float64(perDay)/2).Draw(t, "foreign"),
			Opens:   now.Add(time.Duration(rapid.Int64Range(-100_000, 200_000).Draw(t, "opens in")) * time.Second),
			Calls:   rapid.Float64Range(0, 100_000).Draw(t, "calls"),
			Others:  rapid.Float64Range(0, 50_000).Draw(t, "others"),
		}
		before, ok := o.done()
		if ok && before.Before(now) {
			t.Fatalf("done %s, before it has begun", before)
		}
		more := o
		switch rapid.IntRange(0, 5).Draw(t, "change") {
		case 0:
			more.Calls += rapid.Float64Range(0, 30_000).Draw(t, "more calls")
		case 1:
			more.Others += rapid.Float64Range(0, 50_000).Draw(t, "one more batch")
		case 2:
			more.Opens = more.Opens.Add(time.Duration(rapid.Int64Range(0, 100_000).Draw(t, "opens later by")) * time.Second)
		case 3:
			more.Left -= rapid.IntRange(0, more.Left).Draw(t, "less left")
		case 4:
			more.Foreign += rapid.Float64Range(0, float64(perDay)/2).Draw(t, "more foreign")
		case 5:
			more.PerSecond *= rapid.Float64Range(0.01, 1).Draw(t, "slower")
		}
		after, still := more.done()
		switch {
		case still && !ok:
			t.Fatalf("never done, but with more to do at %s", after)
		case still && after.Before(before):
			t.Fatalf("done %s, with more to do %s", before, after)
		}
	})
}
