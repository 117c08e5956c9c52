package quota_test

import (
	"maps"
	"strconv"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/seekout/icims-export/store/quota"
)

// leaveOldState writes the state of the version with short field names at noon: 700 of 1,000 calls
// were ours, 40 of another user, and one call is in flight.
func leaveOldState(t *testing.T, r *permitRig, more map[string]string) {
	t.Helper()
	ms := func(at time.Time) string { return strconv.FormatInt(at.UnixMilli(), 10) }
	us := func(at time.Time) string { return strconv.FormatInt(at.UnixMicro(), 10) }
	state := map[string]string{
		"tat": us(noon.Add(300 * time.Millisecond)), "sp": us(noon), "w": ms(noon.Add(6*time.Hour + time.Second)), "wg": "0", "wn": "3",
		"own": "700", "fo": "40", "pf": "55", "l": "1000", "lh": ms(noon), "lg": ms(noon.Add(-time.Minute)), "rc": "2050", "ra": "3.2000", "rt": us(noon),
		"xs": "4", "q:host-1": "900:0:" + ms(noon), "cfg": "5:10:4:1000:0:5",
	}
	maps.Copy(state, more)
	if err := r.redis.HSet(t.Context(), "ix:{1234}:limits", state).Err(); err != nil {
		t.Fatal(err)
	}
	if err := r.redis.ZAdd(t.Context(), "ix:{1234}:flying", redis.Z{Score: float64(noon.Add(40 * time.Second).UnixMilli()), Member: "host-1:900"}).Err(); err != nil {
		t.Fatal(err)
	}
}

func TestStateOfThePreviousVersionIsConverted(t *testing.T) {
	limits := quota.Limits{CallsPerSecond: 5, Burst: 10, InFlight: 4, CallsPerDay: 1000, ExpressReserve: 5}
	t.Run("counts, window and limits", func(t *testing.T) {
		r := newPermitRig(t, limits)
		leaveOldState(t, r, nil)
		before := r.redis.HGetAll(t.Context(), "ix:{1234}:limits").Val()
		s := r.status()
		if s.Own != 700 || s.Foreign != 40 || s.Budget != 1000 || s.InFlight != 1 || s.Limits != limits || !s.Closed.Open() {
			t.Errorf("read: %+v", s)
		}
		if after := r.redis.HGetAll(t.Context(), "ix:{1234}:limits").Val(); len(after) != len(before) {
			t.Error("reading the status changed the state")
		}
		a := r.bulk(10)
		if len(a.Permits) == 0 || len(a.Permits) > limits.InFlight-1 || a.Own != 700+len(a.Permits) || a.Foreign != 40 {
			t.Errorf("%d permits, %+v", len(a.Permits), a.Status)
		}
		for field := range r.redis.HGetAll(t.Context(), "ix:{1234}:limits").Val() {
			switch field {
			case "tat", "sp", "w", "wg", "wn", "own", "fo", "pf", "l", "lh", "lg", "rc", "ra", "rt", "xs", "q:host-1", "cfg":
				t.Errorf("field %s is left", field)
			}
		}
		// The window keeps its end, and the next one starts with new counts.
		r.pass(6*time.Hour + 2*time.Second)
		if s := r.status(); s.Own > 10 || s.Foreign != 0 {
			t.Errorf("in the next window: %+v", s)
		}
	})
	t.Run("a spent budget stays spent", func(t *testing.T) {
		r := newPermitRig(t, limits)
		leaveOldState(t, r, map[string]string{"own": "960"})
		if a := r.ask(r.request(1, 1)); len(a.Permits) != 0 || a.ClosedExpress.Reason != "icims_quota_exhausted" || r.lasts(a.ClosedExpress) != 6*time.Hour+time.Second {
			t.Errorf("%+v", a)
		}
	})
	closures := map[string]struct {
		state  map[string]string
		reason string
	}{
		"a verdict on the credentials": {map[string]string{"v:one": "icims_credentials:" + strconv.FormatInt(noon.Add(8*time.Minute).UnixMilli(), 10) + ":3:" + strconv.FormatInt(noon.UnixMilli(), 10)}, "icims_credentials"},
		"a request to slow down":       {map[string]string{"ru": strconv.FormatInt(noon.Add(8*time.Minute).UnixMilli(), 10), "rn": "2"}, "icims_rate_limited"},
		"iCIMS's word that none is left": {
			map[string]string{"qu": strconv.FormatInt(noon.Add(8*time.Minute).UnixMilli(), 10)}, "icims_quota_exhausted",
		},
	}
	for name, c := range closures {
		t.Run(name, func(t *testing.T) {
			r := newPermitRig(t, limits)
			leaveOldState(t, r, c.state)
			if s := r.status(); s.ClosedExpress.Reason != c.reason || r.lasts(s.ClosedExpress) != 8*time.Minute {
				t.Errorf("status %+v", s)
			}
			if a := r.ask(r.request(1, 1)); len(a.Permits) != 0 || a.ClosedExpress.Reason != c.reason || r.lasts(a.ClosedExpress) != 8*time.Minute {
				t.Errorf("%+v", a)
			}
			r.pass(8 * time.Minute)
			if a := r.bulk(1); len(a.Permits) != 1 {
				t.Errorf("afterwards %+v", a)
			}
		})
	}
	t.Run("calls that a process of the old version still made are counted", func(t *testing.T) {
		r := newPermitRig(t, limits)
		leaveOldState(t, r, nil)
		r.bulk(1)
		if err := r.redis.HSet(t.Context(), "ix:{1234}:limits", "wn", 1, "own", 30, "w", noon.Add(12*time.Hour).UnixMilli(), "wg", 1).Err(); err != nil {
			t.Fatal(err)
		}
		if a := r.bulk(0); a.Own != 731 || a.Foreign != 40 {
			t.Errorf("%+v", a.Status)
		}
	})
}
