package api

import (
	"net/http"
	"testing"
	"time"

	"github.com/seekout/icims-export/internal/testrig"
	"github.com/seekout/icims-export/store"
)

func TestConnectionListShowsExportsThatNeedAttention(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	queue := func(customer string, n int) []string {
		t.Helper()
		_, ids := r.acceptCandidates(customer, 7, 0, n)
		testrig.Enqueue(t, r.redis, r.Ledger, customer, ids...)
		return ids
	}
	for _, customer := range []string{"5", "77", "1234"} {
		r.connect(customer)
	}
	_, dead := r.acceptCandidates("77", 7, 100, 3)
	r.makeDead("77", store.ReasonJobNotFound, testrig.NoJob, dead...)
	queue("5", 4) // these continue
	queue("1234", 2)
	if err := r.Ledger.Lanes.Pause(t.Context(), "1234", store.Pause{By: "ana", Why: "go-live", At: time.Now()}); err != nil {
		t.Fatal(err)
	}
	var list Connections
	r.call(r.key(ScopeRead), http.MethodGet, "/v1/connections", nil).is(http.StatusOK, &list)
	got := map[string][2]int{}
	for _, c := range list.Connections {
		got[c.Customer] = [2]int{c.DeadLetters, c.Kept}
	}
	if len(got) != 3 || got["5"] != [2]int{} || got["77"] != [2]int{3, 0} || got["1234"] != [2]int{0, 2} {
		t.Errorf("dead and kept: %v", got)
	}
}
