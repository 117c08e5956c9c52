package input

import (
	"errors"
	"fmt"
	"time"
)

// Years outside this range are typos.
const (
	minYear = 1900
	maxYear = 2200
)

var (
	errDateMalformed  = errors.New("not a date of the form 2021, 2021-03 or 2021-03-15")
	errDateImpossible = errors.New("a date that does not exist")
)

// partialDate is a date whose month and day may be unknown (zero).
type partialDate struct {
	year, month, day int
}

// parsePartialDate parses "2021", "2021-03" or "2021-03-15". It returns errDateMalformed or
// errDateImpossible.
func parsePartialDate(s string) (partialDate, error) {
	var d partialDate
	ok := true
	number := func(from, to int) int {
		n := 0
		for _, c := range []byte(s[from:to]) {
			if c < '0' || c > '9' {
				ok = false
			}
			n = n*10 + int(c-'0')
		}
		return n
	}
	switch len(s) {
	case 10:
		ok = s[7] == '-'
		d.day = number(8, 10)
		fallthrough
	case 7:
		ok = ok && s[4] == '-'
		d.month = number(5, 7)
		fallthrough
	case 4:
		d.year = number(0, 4)
	default:
		ok = false
	}
	if !ok {
		return partialDate{}, errDateMalformed
	}
	if d.year < minYear || d.year > maxYear {
		return partialDate{}, errDateImpossible
	}
	if len(s) >= 7 && (d.month < 1 || d.month > 12) {
		return partialDate{}, errDateImpossible
	}
	if len(s) == 10 {
		t := time.Date(d.year, time.Month(d.month), d.day, 0, 0, 0, 0, time.UTC)
		if d.day < 1 || t.Day() != d.day {
			return partialDate{}, errDateImpossible
		}
	}
	return d, nil
}

// before reports whether d is certainly earlier than o. Dates are compared at the precision they
// share: 2021 is not before 2021-03.
func (d partialDate) before(o partialDate) bool {
	if d.year != o.year {
		return d.year < o.year
	}
	if d.month == 0 || o.month == 0 {
		return false
	}
	if d.month != o.month {
		return d.month < o.month
	}
	return d.day != 0 && o.day != 0 && d.day < o.day
}

// FullDate completes a partial date to its first day, as required by iCIMS (API sheet §6.6): "2021"
// becomes "2021-01-01", "2021-03" becomes "2021-03-01". ok is false for an empty or invalid date.
func FullDate(partial string) (date string, ok bool) {
	d, err := parsePartialDate(partial)
	if err != nil {
		return "", false
	}
	return fmt.Sprintf("%04d-%02d-%02d", d.year, max(d.month, 1), max(d.day, 1)), true
}
