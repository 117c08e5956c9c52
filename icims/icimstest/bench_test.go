package icimstest

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
)

// BenchmarkExport measures one candidate: a create and a workflow, plus a look-up of 50 addresses
// for every 50 candidates, among 20,000 people.
func BenchmarkExport(b *testing.B) {
	cfg := Config{Latency: Latency{None: true}, KeepCalls: -1}
	sim := New(cfg)
	tc := DemoTenant(customer, "user", "secret")
	tc.DailyLimit = 1 << 40
	tenant := sim.AddTenant(tc)
	for i := range 20_000 {
		tenant.AddPerson(map[string]any{"firstname": "P", "lastname": "Q", "email": fmt.Sprintf("seed%d@example.com", i)})
	}
	srv := NewServer(sim)
	defer srv.Close()
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	defer transport.CloseIdleConnections()
	client := &http.Client{Transport: transport}
	post := func(path, body string) *http.Response {
		req, err := http.NewRequest("POST", srv.URL+"/customers/1234"+path, strings.NewReader(body))
		if err != nil {
			b.Fatal(err)
		}
		req.SetBasicAuth("user", "secret")
		req.Header.Set("Content-Type", "application/json")
		res, err := client.Do(req)
		if err != nil {
			b.Fatal(err)
		}
		res.Body.Close()
		return res
	}
	var n atomic.Int64
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			i := n.Add(1)
			if i%50 == 0 {
				emails := make([]string, 50)
				for j := range emails {
					emails[j] = fmt.Sprintf("p%d@example.com", i+int64(j))
				}
				post("/search/people?staleness=0", `{"filters":[`+byEmail(emails...)+`]}`)
			}
			res := post("/people", fmt.Sprintf(`{"firstname":"P","lastname":"Q","email":"p%d@example.com","phones":[{"phonetype":{"value":"Mobile"},"phonenumber":"1"}]}`, i))
			location := res.Header.Get("Location")
			post("/applicantworkflows", `{"baseprofile":1701,"associatedprofile":`+location[strings.LastIndex(location, "/")+1:]+`,"status":{"value":"Recruiter Submitted"}}`)
		}
	})
	b.ReportMetric(float64(sim.CallCount())/b.Elapsed().Seconds(), "calls/s")
}
