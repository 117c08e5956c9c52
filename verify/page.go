package verify

import (
	"fmt"
	"slices"
	"strings"
)

// about says more about a check than its title.
var about = []struct {
	name Name
	text string
}{
	{CheckSettings, "The connection by itself, without a call: portal URLs, host, account, limits, capability."},
	{CheckReach, "`GET /customers/{id}` is answered: name, network, TLS and time-outs are told apart."},
	{CheckCredentials, "That answer was no 401. With OAuth a token was given."},
	{CheckAddress, "That answer was no refusal of the address that the call came from, and not everything else is refused."},
	{CheckCustomer, "The customer that answered is the connection's."},
	{CheckPortal, "The first page of jobs, for each portal."},
	{CheckSearch, "A search for an e-mail address that nobody has. Only integration users may search."},
	{CheckPerson, "The fields that exports fill in, by the names that the connection gives."},
	{CheckWorkflow, "The fields of a recruiting workflow, with status and source."},
	{CheckQuota, "What is left of the day's calls, by iCIMS's headers. It takes no call."},
	{CheckTest, "The test candidate is exported, as any candidate is."},
	{CheckTestWorkflow, "And attached to the job, with the connection's status."},
	{CheckStored, "Person and workflow are read back and compared field by field with what was sent. What is missing is sent once more."},
	{CheckFolder, "The folder came back: by it employees are told from candidates, and left alone."},
	{CheckVisible, "A search for the test candidate's address, until it is found: for five minutes at most. How long it takes is the search lag; after a lost write exports wait twice as long, and never shorter than `settle_time`."},
	{CheckSearchMany, "One search for many addresses, the test candidate's last among unknown ones; and one for that address in another case."},
	{CheckPair, "`GET applicantworkflows/person/{person}/job/{job}` finds the test candidate's workflow."},
}

// Page renders docs/verification.md.
func Page() string {
	var b strings.Builder
	b.WriteString(pageHead)
	b.WriteString("\n## Checks\n\n| check | what it is about | what it looks at |\n| --- | --- | --- |\n")
	for _, a := range about {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", a.name, titles[a.name], a.text)
	}
	b.WriteString(pageStates)
	b.WriteString("\n## Codes\n\nThey are stable, and new ones may come.\n\n| code | what is wrong | what to do |\n| --- | --- | --- |\n")
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

A verification finds out whether a customer's connection works, and where not, what to do: ` + "`icims-export verify CUSTOMER`" + `, or
` + "`POST /v1/customers/{customer}/verifications`" + `. A worker does it, since the workers' addresses are those that iCIMS has to allow ([control tasks](architecture.md#control-tasks)). It takes about twenty
calls of the day's. A pause, refused credentials and an open circuit breaker do not hold it back; rate and quota hold for it as for exports.

The addresses that remedies name, and that ` + "`GET /v1/egress`" + ` lists, are those of the setting ` + "`egress_addresses`" + `.
`

const pageStates = `
A check is ` + "`ok`" + `; ` + "`warned`" + `: exports work, but not in every respect; ` + "`failed`" + `; or ` + "`skipped`" + `, saying why. A check that failed and without which later ones make no sense
ends the verification. While it runs, checks are ` + "`pending`" + ` or ` + "`running`" + `; each is recorded as it ends, so that the verification can be followed.

## The connection's state

| result | the connection is |
| --- | --- |
| ` + "`connected`" + `: nothing failed or warned | ` + "`connected`" + ` |
| ` + "`degraded`" + `: something did | ` + "`degraded`" + `, or ` + "`new`" + ` where its settings cannot be used |
| ` + "`refused`" + ` | ` + "`credentials_rejected`, or `access_denied`" + ` where iCIMS refuses the account or the address |
| ` + "`incomplete`" + `: the day's calls ran out, or the like | as it was before: nothing is said of it |

A verification that is not done (state ` + "`failed`" + `) says why in ` + "`failure`, `problem` and `remedy`" + `; its report is ` + "`incomplete`" + `, and the checks that it has not come to are ` + "`skipped`" + `. So ends one whose
connection is changed meanwhile (` + "`connection_changed`" + `): verify it again as it is now.

A connection that was verified is verified again every week (setting ` + "`verify_every`" + `, 0 for never), by "schedule": not while the customer is paused or its credentials are refused, and only while
half of the day's calls are left. It uses the same test candidate, on the same job while that is posted.

While the verification runs the connection is ` + "`verifying`" + `; exports go on. If it finds that refused credentials or a refused address have been fixed, the exports that waited for that continue at once.

## The test candidate

"Test Candidate (icims-export)", with a dummy address that is the customer's own and always the same, so that later verifications find the person again: iCIMS has it once, and one workflow for each job
that was chosen. It goes the way of every export, so that what is shown to work is what exports do. Its batches are marked as tests: lists, averages and forecasts leave them out
(` + "`GET /v1/customers/{customer}/batches?tests=true`" + ` lists them), one that fails leaves no dead letter, and no producer may use its candidate id, ` + "`icims-export:test`" + `. The job is the chosen one, or the first that a portal shows; without any the
test candidate becomes a prospect. Remove it in iCIMS if it is in the way; the next verification makes another one. ` + "`--no-test-candidate`" + ` writes nothing.
`

const pageTail = `
How refused addresses are told from missing rights: iCIMS does not document with which status or code it refuses an address (API sheet §1). A 401 or 403 whose words are about an IP address is ` + "`address_refused`" + `;
a 403 without iCIMS's code for "you may not see this" is ` + "`account_denied`" + `, and so is one with it if every other part is refused as well; otherwise it is about the one right.
`
