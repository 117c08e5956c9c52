package api

import (
	"testing"
	"time"
)

// A few keys cannot take all upload slots.
func TestKeyHasAtMostAQuarterOfAllUploads(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ key, all, want int }{
		"by default":                         {DefaultKeyUploads, DefaultUploads, 8},
		"where a key may have more":          {32, 32, 8},
		"where a key may have more than all": {100, 8, 2},
		"where there are few":                {8, 3, 1},
		"where a key may have fewer":         {2, 32, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := newKeyLimits(Settings{KeyUploads: c.key, Uploads: c.all}.withDefaults(), time.Now)
			n := 0
			for n <= c.all {
				if _, refused := l.admit("one", true); refused != nil {
					break
				}
				n++
			}
			if n != c.want {
				t.Errorf("%d uploads of one key, want %d", n, c.want)
			}
			if _, refused := l.admit("another", true); refused != nil {
				t.Errorf("another key: %v", refused)
			}
		})
	}
}
