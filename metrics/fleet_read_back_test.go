package metrics

import (
	"testing"
	"time"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/store/redistest"
)

func TestAFieldThatStopsArrivingIsCounted(t *testing.T) {
	client := redistest.Start(t).Client(t)
	for _, byCustomer := range []bool{false, true} {
		r := newFleetRig(t, client, byCustomer)
		r.send("1234", 1)
		keep := func(customer string, arrived int) {
			t.Helper()
			read := store.ReadBack{At: time.UnixMilli(1_800_000_000_000), Fields: map[string]store.ReadBackFigure{
				"education":    {Sent: 10, Arrived: arrived, Missing: 10 - arrived, Share: float64(arrived) / 10},
				"phones":       {Sent: 10, Arrived: 10, Share: 1},
				"of_a_forgery": {Sent: 10, Share: 0},
			}}
			if err := r.ledger.Candidates.SaveReadBack(t.Context(), customer, read); err != nil {
				t.Fatal(err)
			}
		}
		look := func() map[string]float64 {
			t.Helper()
			r.clock = r.clock.Add(time.Minute)
			return r.collect()
		}
		keep("1234", 10)
		if got := look(); got["read_back_fields_lost education"] != 0 {
			t.Errorf("while it arrives: %v", got)
		}
		keep("1234", 1)
		got := look()
		r.is(got, map[string]float64{"read_back_fields_lost education": 1, "read_back_fields_lost phones": 0, "read_back_fields_lost linkedin": 0})
		if _, shown := got["read_back_fields_lost of_a_forgery"]; shown {
			t.Error("a field that is none of ours is shown")
		}
		shares := map[string]float64{
			"customer_read_back_share_ratio 1234 education": 0.1, "customer_read_back_earlier_share_ratio 1234 education": 1,
			"customer_read_back_share_ratio 1234 phones": 1, "customer_read_back_timestamp_seconds 1234": 1_800_000_000,
		}
		if byCustomer {
			r.is(got, shares)
			continue
		}
		for name := range shares {
			if _, shown := got[name]; shown {
				t.Errorf("%s is shown without metrics_customers", name)
			}
		}
	}
}
