package input

import (
	"errors"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestParsePartialDate(t *testing.T) {
	for _, tc := range []struct {
		text string
		want partialDate
		err  error
	}{
		{"2021", partialDate{2021, 0, 0}, nil},
		{"2021-03", partialDate{2021, 3, 0}, nil},
		{"2021-03-15", partialDate{2021, 3, 15}, nil},
		{"2020-02-29", partialDate{2020, 2, 29}, nil},
		{"1900", partialDate{1900, 0, 0}, nil},
		{"2200-12-31", partialDate{2200, 12, 31}, nil},
		{"1899-12-31", partialDate{}, errDateImpossible},
		{"2201", partialDate{}, errDateImpossible},
		{"2021-02-29", partialDate{}, errDateImpossible},
		{"2021-04-31", partialDate{}, errDateImpossible},
		{"2021-00", partialDate{}, errDateImpossible},
		{"2021-13", partialDate{}, errDateImpossible},
		{"2021-01-00", partialDate{}, errDateImpossible},
		{"", partialDate{}, errDateMalformed},
		{"21", partialDate{}, errDateMalformed},
		{"2021-3", partialDate{}, errDateMalformed},
		{"2021/03", partialDate{}, errDateMalformed},
		{"2021-03/15", partialDate{}, errDateMalformed},
		{"03/15/2021", partialDate{}, errDateMalformed},
		{"2021-03-15T00:00:00Z", partialDate{}, errDateMalformed},
		{"-021", partialDate{}, errDateMalformed},
		{"２０", partialDate{}, errDateMalformed},
	} {
		t.Run(tc.text, func(t *testing.T) {
			got, err := parsePartialDate(tc.text)
			if got != tc.want || !errors.Is(err, tc.err) {
				t.Errorf("got %v, %v; want %v, %v", got, err, tc.want, tc.err)
			}
		})
	}
}

// drawDay draws a day and one of its partial forms.
func drawDay(t *rapid.T, label string) (day time.Time, partial string) {
	days := rapid.IntRange(0, 300*365).Draw(t, label)
	day = time.Date(minYear, 1, 1, 0, 0, 0, 0, time.UTC).AddDate(0, 0, days)
	layout := rapid.SampledFrom([]string{"2006", "2006-01", "2006-01-02"}).Draw(t, label+" form")
	return day, day.Format(layout)
}

func TestDateProperties(t *testing.T) {
	t.Run("a partial date can be parsed and completes to its first day", rapid.MakeCheck(func(t *rapid.T) {
		day, partial := drawDay(t, "day")
		d, err := parsePartialDate(partial)
		if err != nil || d.year != day.Year() {
			t.Fatalf("%s: %v, %v", partial, d, err)
		}
		full, ok := FullDate(partial)
		if !ok || full[:len(partial)] != partial || (partial + "-01-01")[:10] != full {
			t.Fatalf("%s became %s", partial, full)
		}
	}))
	t.Run("an end on or after the start is never before it, in any form", rapid.MakeCheck(func(t *rapid.T) {
		a, aText := drawDay(t, "a")
		b, bText := drawDay(t, "b")
		if b.Before(a) {
			a, b, aText, bText = b, a, bText, aText
		}
		start, _ := parsePartialDate(aText)
		end, _ := parsePartialDate(bText)
		if end.before(start) {
			t.Fatalf("%s is before %s (%s, %s)", bText, aText, b, a)
		}
	}))
	t.Run("full dates compare as calendars do", rapid.MakeCheck(func(t *rapid.T) {
		a, _ := drawDay(t, "a")
		b, _ := drawDay(t, "b")
		x, _ := parsePartialDate(a.Format(time.DateOnly))
		y, _ := parsePartialDate(b.Format(time.DateOnly))
		if x.before(y) != a.Before(b) {
			t.Fatalf("%s, %s", a, b)
		}
	}))
	t.Run("no text makes a date that does not exist", rapid.MakeCheck(func(t *rapid.T) {
		text := rapid.StringMatching(`[0-9-]{0,11}`).Draw(t, "text")
		full, ok := FullDate(text)
		if !ok {
			return
		}
		if _, err := time.Parse(time.DateOnly, full); err != nil {
			t.Fatal(err)
		}
	}))
}
