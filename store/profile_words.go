package store

import (
	"fmt"
	"strings"
	"time"
)

// Finding is one finding of a verification, and what it means for exports.
type Finding struct {
	Name   string `json:"name" doc:"What it is about, for programs." example:"search_or"`
	Answer Answer `json:"answer,omitempty" enum:"yes,no" doc:"What was found; left out where it is not known."`
	Means  string `json:"means" doc:"What that means for exports, and what it costs."`
}

// Findings says in plain words what is known of a customer's iCIMS.
func (p TenantProfile) Findings() []Finding {
	var list []Finding
	if p.VerifiedAt == 0 {
		list = append(list, Finding{Name: "verified", Answer: No, Means: "Not verified: each new candidate costs about 4 calls instead of 2, since exports assume nothing. Verify the connection."})
	}
	add := func(name string, a Answer, yes, no string) {
		if a != "" {
			list = append(list, Finding{name, a, map[Answer]string{Yes: yes, No: no}[a]})
		}
	}
	add("search_or", p.SearchOr, "One search finds several people: candidates are looked up together.",
		"One search does not find several people: each candidate is looked up by itself, a call or two more for each.")
	add("sees_people", p.SeesPeople, fmt.Sprintf("A search finds the test candidate. The search lag is %s.", p.SearchLag.Round(time.Second/10)),
		"No search finds the test candidate: exports wait, since people who are in iCIMS already would be created again.")
	add("ignores_case", p.IgnoresCase, "Searches ignore upper and lower case.", "Searches heed upper and lower case: new candidates are searched a second time.")
	add("keeps_status", p.KeepsStatus, "Workflows get the connection's status.", "Workflows do not get the connection's status.")
	add("reads_pair", p.ReadsPair, "The workflow of a person on a job can be read: none is made twice.", "The workflow of a person on a job cannot be read: searches alone tell whether there is one.")
	add("finds_pair", p.FindsPair, "A search finds the workflow of a person on a job.",
		"Neither a search nor a read shows the workflow of a person on a job: people who are in iCIMS already are not put on jobs, since they may be on them.")
	add("sees_folder", p.SeesFolder, "Folders can be read: employees are told from candidates.", "Folders cannot be read: people who are in iCIMS already are not updated, since they may be employees.")
	if p.Nobody == NobodyIsErrors {
		list = append(list, Finding{"nobody", Yes, "A search without a hit answers with an error: that counts as nobody."})
	}
	if p.Missing != "" {
		list = append(list, Finding{"missing", No, "Accepted and not stored: " + strings.Join(p.missingFields(), ", ") + "."})
	}
	return list
}
