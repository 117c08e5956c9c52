package store

import (
	"fmt"
	"strings"
	"time"
)

// Finding is one finding of a verification and its meaning for exports.
type Finding struct {
	Name   string `json:"name" doc:"The finding's code." example:"search_or"`
	Answer Answer `json:"answer,omitempty" enum:"yes,no" doc:"The found value; omitted if unknown."`
	Means  string `json:"means" doc:"The effect on exports and their cost."`
}

// Findings describes the known behavior of a customer's iCIMS.
func (p TenantProfile) Findings() []Finding {
	var list []Finding
	if p.VerifiedAt == 0 {
		list = append(list, Finding{Name: "verified", Answer: No, Means: "Not verified: each new candidate costs about 4 calls instead of 2. Verify the connection."})
	}
	add := func(name string, a Answer, yes, no string) {
		if a != "" {
			list = append(list, Finding{name, a, map[Answer]string{Yes: yes, No: no}[a]})
		}
	}
	add("search_or", p.SearchOr, "One search finds several people: candidates are looked up in batches.",
		"One search does not find several people: each candidate is looked up by itself, which takes one or two more calls.")
	add("sees_people", p.SeesPeople, fmt.Sprintf("A search finds the test candidate. The search lag is %s.", p.SearchLag.Round(time.Second/10)),
		"No search finds the test candidate: exports wait, to avoid duplicates of existing people.")
	add("ignores_case", p.IgnoresCase, "Searches ignore case.", "Searches are case-sensitive: new candidates are searched twice.")
	if p.StatusLater == Yes {
		add("status_later", p.StatusLater, "iCIMS ignored the status of the test workflow, so it was set by a second call. Exports check their first workflow and do the same if necessary.", "")
	}
	add("keeps_status", p.KeepsStatus, "Workflows get the connection's status.", "Workflows do not get the connection's status.")
	add("reads_pair", p.ReadsPair, "A workflow can be read by person and job: no duplicates.", "A workflow cannot be read by person and job: only searches find it.")
	add("finds_pair", p.FindsPair, "A search finds a workflow by person and job.",
		"Neither a search nor a read shows a workflow by person and job: existing people are not added to jobs, to avoid duplicate workflows.")
	add("sees_folder", p.SeesFolder, "Folders can be read: employees are not changed.", "Folders cannot be read: existing people are not updated, since they may be employees.")
	if p.Nobody == NobodyIsErrors {
		list = append(list, Finding{"nobody", Yes, "An empty search returns an error, which counts as no result."})
	}
	if p.Missing != "" {
		list = append(list, Finding{"missing", No, "Accepted and not stored: " + strings.Join(p.missingFields(), ", ") + "."})
	}
	return list
}
