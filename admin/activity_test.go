package admin

import (
	"testing"
	"time"
)

func TestRepeatedEventsAreMerged(t *testing.T) {
	at := time.Now()
	got := mergeRepeated([]Activity{{At: at, Text: "b"}, {At: at.Add(-time.Second), Text: "a"}, {At: at.Add(-2 * time.Second), Text: "a"}, {At: at.Add(-2 * time.Hour), Text: "a"}})
	if len(got) != 3 || got[0].Times != 1 || got[1].Times != 2 || got[2].Times != 1 {
		t.Errorf("got %+v", got)
	}
}
