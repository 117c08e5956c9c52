package verify

import (
	"fmt"
	"slices"
	"strings"
)

// about explains a check beyond its title.
var about = []struct {
	name Name
	text string
}{
	{CheckSettings, "The connection without a call: portal URLs, host, account, limits, capability."},
	{CheckReach, "`GET /customers/{id}` is answered. Tells DNS, network, TLS and timeout problems apart."},
	{CheckCredentials, "That response is not a 401. With OAuth, a token was issued."},
	{CheckAddress, "That response does not refuse the caller's address, and iCIMS does not refuse all other calls."},
	{CheckCustomer, "The customer in the response matches the connection."},
	{CheckPortal, "The first page of jobs of each portal."},
	{CheckSearch, "A search for an unused email address. Only integration users may search."},
	{CheckPerson, "The fields that exports write, by their names in the connection."},
	{CheckWorkflow, "The fields of a recruiting workflow, with status and source."},
	{CheckQuota, "The calls left today, from iCIMS's headers. Takes no call."},
	{CheckTest, "Exports the test candidate like any other candidate."},
	{CheckTestWorkflow, "Adds it to the job, with the connection's status."},
	{CheckStored, "Reads person and workflow back and compares each field. Missing values are sent once more."},
	{CheckFolder, "The folder was returned. It separates employees, who are not changed, from candidates."},
	{CheckVisible, "Searches for the test candidate's address until it is found, for up to five minutes. The time is the search lag: after a lost write exports wait twice as long, and at least `settle_time`."},
	{CheckSearchMany, "One search for many unknown addresses with the test candidate's last, and one for its address in another case."},
	{CheckPair, "`GET applicantworkflows/person/{person}/job/{job}` finds the test candidate's workflow."},
}

// Page renders docs/verification.md.
func Page() string {
	var b strings.Builder
	b.WriteString(pageHead)
	b.WriteString("\n## Checks\n\n| check | title | what it checks |\n| --- | --- | --- |\n")
	for _, a := range about {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", a.name, titles[a.name], a.text)
	}
	b.WriteString(pageStates)
	b.WriteString("\n## Codes\n\nEach code is stable; new ones may be added. *The configured addresses* are those of the setting `egress_addresses`.\n\n| code | cause | remedy |\n| --- | --- | --- |\n")
	all := Codes()
	slices.Sort(all)
	for _, c := range all {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", c, c.Info().Cause, strings.TrimSpace(strings.ReplaceAll(c.Info().Remedy, egressMark, "*the configured addresses*")))
	}
	b.WriteString(pageTail)
	return b.String()
}

const pageHead = `# Verification

<!-- Written by "go test ./verify -run TestPageIsUpToDate -update"; changes by hand are lost. -->

A verification checks whether a customer's connection works, and reports causes and remedies. Start one with ` + "`icims-export verify CUSTOMER`" + `
or ` + "`POST /v1/customers/{customer}/verifications`" + `.

- A worker runs it, from the addresses that iCIMS has to allow-list ([control tasks](architecture.md#control-tasks)).
- It takes about twenty of the day's calls.
- It runs even if the customer is paused, its credentials are refused or its circuit breaker is open. Rate limit and quota apply.
- Remedies and ` + "`GET /v1/egress`" + ` show the addresses of the setting ` + "`egress_addresses`" + `.
`

const pageStates = `
A check is ` + "`ok`, `warned`" + ` (exports work with limits), ` + "`failed` or `skipped`" + ` (with a reason). While the verification runs, checks are ` + "`pending` or `running`" + `,
and each result is recorded at once. The verification ends early when later checks depend on a failed one.

## Results

| result | connection state afterwards |
| --- | --- |
| ` + "`connected`" + `: nothing failed or warned | ` + "`connected`" + ` |
| ` + "`degraded`" + `: a check failed or warned | ` + "`degraded`, or `new`" + ` if its settings are unusable |
| ` + "`refused`" + ` | ` + "`credentials_rejected`, or `access_denied`" + ` if iCIMS refuses the account, the address or searches for people |
| ` + "`incomplete`" + `, for example because the day's calls ran out or a search for people failed | unchanged |

- While the verification runs, the connection is ` + "`verifying`" + ` and exports continue. If refused credentials or a refused address turn out to be
  fixed, the exports that waited for that resume at once.
- A verification that cannot finish (state ` + "`failed`" + `) explains why in ` + "`failure`, `problem` and `remedy`" + `. Its result is ` + "`incomplete`" + ` and the remaining
  checks are ` + "`skipped`" + `. If the connection changes meanwhile (` + "`connection_changed`" + `), verify again.
- A verified connection is verified again every week (setting ` + "`verify_every`" + `, 0 for never) by "schedule", with the same test candidate and the same
  job while that is posted. It waits while the customer is paused, credentials are refused, or less than half of the day's calls are left.

## The test candidate

The test candidate is "Test Candidate (icims-export)" with a dummy address per customer that never changes. Later verifications find the same
person, so iCIMS has one person, and one workflow per chosen job.

- It is exported like any other candidate. The job is the chosen one, or the first that a portal shows. Without a job it becomes a prospect.
- Its batches are marked as tests: lists, averages and forecasts omit them (` + "`GET /v1/customers/{customer}/batches?tests=true`" + ` lists them).
- A failed test leaves no dead letter. Producers may not use its candidate id, ` + "`icims-export:test`" + `.
- You may delete it in iCIMS; the next verification creates it again. ` + "`--no-test-candidate`" + ` writes nothing.
`

const pageTail = `
## Refused addresses and missing rights

iCIMS does not document how it refuses an address (API sheet §1). The verification decides:

| response | code |
| --- | --- |
| a 401 or 403 whose text is about an IP address | ` + "`address_refused`" + ` |
| a 403 without iCIMS's code for "you may not see this" | ` + "`account_denied`" + ` |
| a 403 with that code, if all other calls are refused too | ` + "`account_denied`" + ` |
| any other 403 | the code of the missing right |
`
