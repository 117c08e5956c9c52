package config

import (
	"fmt"
	"reflect"
	"strconv"
	"strings"
	"time"

	"github.com/alecthomas/kong"
)

// durationMapper parses Go durations and whole days.
type durationMapper struct{}

func (durationMapper) Decode(ctx *kong.DecodeContext, target reflect.Value) error {
	var text string
	if err := ctx.Scan.PopValueInto("duration", &text); err != nil {
		return err
	}
	d, err := parseDuration(text)
	if err != nil {
		return err
	}
	target.SetInt(int64(d))
	return nil
}

const day = 24 * time.Hour

// parseDuration parses 90s, 1h30m and 30d.
func parseDuration(text string) (time.Duration, error) {
	const remedy = "write it as a number with a unit, such as 30s, 5m, 24h or 30d"
	if days, ok := strings.CutSuffix(text, "d"); ok {
		const most = 36_500 // a century, far from an overflow
		n, err := strconv.Atoi(days)
		if err != nil || n < -most || n > most {
			return 0, fmt.Errorf("%q is not a duration: %s", text, remedy)
		}
		return time.Duration(n) * day, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("%q is not a duration: %s", text, remedy)
	}
	return d, nil
}
