package verify

import (
	"maps"
	"slices"
	"strings"
)

// Code says what is wrong with a connection: one of a closed list, and stable.
type Code string

// The codes.
const (
	CodeSettings Code = "settings_wrong"

	CodeNameUnknown      Code = "name_unknown"
	CodeAddressForbidden Code = "address_forbidden"
	CodeUnreachable      Code = "unreachable"
	CodeTLS              Code = "tls_failed"
	CodeNoAnswer         Code = "no_answer"
	CodeRedirected       Code = "redirected"
	CodeFailing          Code = "icims_failing"
	CodeSignIn           Code = "sign_in_failing"

	CodeCredentials    Code = "credentials_refused"
	CodeAddressRefused Code = "address_refused"
	CodeAccountDenied  Code = "account_denied"
	CodeNotAuthorized  Code = "not_authorized"
	CodeIntercepted    Code = "intercepted"

	CodeCustomerUnknown Code = "customer_unknown"
	CodeCustomerHidden  Code = "customer_hidden"

	CodePortalUnknown Code = "portal_unknown"
	CodePortalHidden  Code = "portal_hidden"

	CodeRightMissing  Code = "right_missing"
	CodeSchemaHidden  Code = "schema_hidden"
	CodeFieldRequired Code = "field_missing"
	CodeFieldOptional Code = "optional_field_missing"
	CodeRefused       Code = "call_refused"

	CodeQuotaExhausted Code = "quota_exhausted"
	CodeQuotaLow       Code = "quota_low"
	CodeSlowDown       Code = "rate_limited"
	CodeHeldBack       Code = "held_back"

	CodeTestRefused   Code = "test_refused"
	CodeTestWaits     Code = "test_waits"
	CodeTestPartly    Code = "test_incomplete"
	CodeJobUnknown    Code = "job_unknown"
	CodeStatusRefused Code = "status_refused"

	CodeNotStored    Code = "not_stored"
	CodeEmailHidden  Code = "email_hidden"
	CodeFolderHidden Code = "folder_hidden"
	CodeNotVisible   Code = "not_found_by_search"
	CodeSearchSingle Code = "search_finds_one"
	CodePairHidden   Code = "pair_not_readable"
	CodePairUnseen   Code = "pair_not_visible"

	CodeNeedsEarlier Code = "needs_earlier_check"
	CodeNotAsked     Code = "not_asked_for"
	CodeNoJob        Code = "no_job"
	CodeFault        Code = "internal_error"
)

// CodeInfo explains a code.
type CodeInfo struct {
	// Cause is what is wrong, Remedy what to do about it.
	Cause, Remedy string
}

const (
	// egressMark stands for the addresses that iCIMS has to allow.
	egressMark = "{addresses}"
	askIcims   = "Ask iCIMS, or the customer's iCIMS administrator, to "
)

var codes = map[Code]CodeInfo{
	CodeSettings: {"A setting of the connection cannot be as it is.", "Correct the settings that are named."},

	CodeNameUnknown:      {"The name of the host in the portal URLs cannot be resolved.", "Check the host in the portal URLs, and the name service of the machines that the workers run on."},
	CodeAddressForbidden: {"The host in the portal URLs is not one that may be called, or is at an address that is not public.", "Check the host in the portal URLs and who answers for its name. Origins are allowed with ICIMS_EXPORT_ICIMS_HOSTS, addresses that are not public with ICIMS_EXPORT_ICIMS_PRIVATE_ADDRESSES."},
	CodeUnreachable:      {"No connection to the host could be made.", "Check the network and firewall in front of the workers: they need to reach the host over HTTPS (port 443)."},
	CodeTLS:              {"No secure connection to the host could be made.", "Check for a proxy that opens HTTPS, and certificates and clock of the machines that the workers run on."},
	CodeNoAnswer:         {"iCIMS did not answer in time.", "Verify again later; if it lasts, check the network in front of the workers and iCIMS's status page."},
	CodeRedirected:       {"The host answered that iCIMS is elsewhere.", "Check the host in the portal URLs, and any proxy in between. Redirects are never followed."},
	CodeFailing:          {"iCIMS failed, or answered unintelligibly.", "Verify again later; if it lasts, look at iCIMS's status page, or give iCIMS support the transaction id."},
	CodeSignIn:           {"iCIMS's sign-in host gave no token.", "Verify again later; if it lasts, check the connection's token_url and region."},

	CodeCredentials:    {"iCIMS refuses the user name or password.", "Enter the API user's name and password anew; for OAuth the client id and secret. If they are right, iCIMS may want " + egressMark + " allow-listed first."},
	CodeAddressRefused: {"iCIMS refused this service's address.", askIcims + "allow-list " + egressMark + " for the API user."},
	CodeAccountDenied:  {"iCIMS lets neither this nor any other call of the account through.", askIcims + "put the API user into the group of integration users, and to allow-list " + egressMark + " for it."},

	CodeNotAuthorized: {"The user name and password are right, but the user may not use iCIMS's API.", askIcims + "authorize the API user for web services, and to put it into the group of integration users."},
	CodeIntercepted:   {"Something other than iCIMS answered: a proxy, a firewall or a gateway.", "Check every proxy and firewall between the workers and iCIMS, and ask iCIMS to allow-list " + egressMark + "."},

	CodeCustomerUnknown: {"iCIMS does not know the customer id for this account.", "Compare the customer id with the one that iCIMS gave, and with the number in the portal URLs."},
	CodeCustomerHidden:  {"The account may not read its own customer record.", askIcims + "give the API user the right. Exports do not need it."},

	CodePortalUnknown: {"iCIMS has no job portal by that id or name.", "Paste the portal's URL anew from iCIMS."},
	CodePortalHidden:  {"The account may not see the job portal.", askIcims + "give the API user the right to the job portal."},

	CodeRightMissing:  {"The account lacks a right that exports need.", askIcims + "give the API user the right to what the check is about."},
	CodeSchemaHidden:  {"The account may not read which fields there are.", "Nothing has to be done: what is missing shows when candidates are exported. " + askIcims + "give the API user the right to the profile definitions, to know beforehand."},
	CodeFieldRequired: {"A field is missing without which no candidate can be exported.", askIcims + "make the field visible to the API user."},
	CodeFieldOptional: {"The tenant lacks fields that the connection names, or the account may not see them.", "Correct the names in the connection, or ask iCIMS to make the fields visible to the API user. Until then they are left out."},
	CodeRefused:       {"iCIMS refused the call.", "Give iCIMS support the transaction id."},

	CodeQuotaExhausted: {"The day's calls are used up.", "Verify again after midnight UTC. More calls a day can be bought from iCIMS."},
	CodeQuotaLow:       {"Less than a tenth of the day's calls is left.", "Nothing has to be done: exports wait for midnight UTC when none are left. More calls a day can be bought from iCIMS."},
	CodeSlowDown:       {"iCIMS asked to slow down.", "Verify again in some minutes; if it happens often, lower the connection's limits."},
	CodeHeldBack:       {"The call was held back by this service.", "Verify again in some minutes."},

	CodeTestRefused:   {"iCIMS did not take the test candidate.", "Do what the reason of the export says, then verify again."},
	CodeTestWaits:     {"The test candidate is not in iCIMS yet.", "Look at it later with icims-export status and the batch that the verification names, or verify again."},
	CodeTestPartly:    {"iCIMS took the test candidate, but not all of it.", "Correct the connection where the warnings say so, or leave it: candidates are exported without what was left out."},
	CodeJobUnknown:    {"The job does not exist, or the account may not see it.", "Choose another job, or ask iCIMS to let the API user see it."},
	CodeStatusRefused: {"iCIMS does not know the status of the connection, or does not let the account set it.", "Correct the connection's status: its label, or better its node id. Until then workflows are made without it."},

	CodeNotStored:    {"iCIMS took fields of the test candidate that were not there when it was read back.", askIcims + "let the API user see and edit these fields, then verify again. Until then candidates may lack them."},
	CodeEmailHidden:  {"The e-mail address of the test candidate cannot be read, so that exports cannot tell who has an address.", askIcims + "let the API user see the e-mail address of people."},
	CodeFolderHidden: {"The folder of the test candidate cannot be read, so that employees cannot be told from candidates.", askIcims + "let the API user see the folder (status) of people. Until then nobody who is in iCIMS already is updated."},
	CodeNotVisible:   {"No search finds the test candidate, although iCIMS has it: people who are there already would be created again.", askIcims + "let the API user see all people in searches (login group, security filters), then verify again. Pause the customer until then."},
	CodeSearchSingle: {"A search for several addresses does not find the last of them.", "Nothing has to be done: each candidate is looked up by itself, which takes a call more."},
	CodePairUnseen:   {"Neither a search nor a read by person and job shows the workflow of the test candidate.", askIcims + "give the API user the right to see recruiting workflows, then verify again. Until then people who are in iCIMS already are not put on jobs (link_unreadable), since they may be on them."},
	CodePairHidden:   {"The workflow of a person on a job cannot be read by person and job.", askIcims + "give the API user the right to recruiting workflows. Until then a person who was put on a job a moment ago by somebody else may be put on it twice, if iCIMS allows that."},

	CodeNeedsEarlier: {"An earlier check failed that this one depends on.", "Fix the earlier one, then verify again."},
	CodeNotAsked:     {"It was not asked for.", ""},
	CodeNoJob:        {"The portals show no job, so that the test candidate was sent as a prospect.", "Verify again when there is a job, or give one."},
	CodeFault:        {"An unexpected fault of this service.", "Look for the verification's id in the workers' log."},
}

// Codes lists all codes, sorted.
func Codes() []Code { return slices.Sorted(maps.Keys(codes)) }

// Info explains the code.
func (c Code) Info() CodeInfo { return codes[c] }

// remedy is what to do about a code, with the addresses that iCIMS has to allow.
func (c Code) remedy(egress []string) string {
	addresses := "this service's addresses"
	if len(egress) > 0 {
		addresses = strings.Join(egress, ", ")
	}
	return strings.ReplaceAll(codes[c].Remedy, egressMark, addresses)
}
