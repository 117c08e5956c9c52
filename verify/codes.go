package verify

import (
	"maps"
	"slices"
	"strings"
)

// Code names a problem of a connection. Codes are stable.
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
	// Cause says what is wrong, Remedy what to do.
	Cause, Remedy string
}

const (
	// egressMark is the placeholder for the addresses to allow-list.
	egressMark = "{addresses}"
	askIcims   = "Ask iCIMS, or the customer's iCIMS administrator, to "
)

var codes = map[Code]CodeInfo{
	CodeSettings: {"A setting of the connection is invalid.", "Correct the named settings."},

	CodeNameUnknown:      {"The host in the portal URLs cannot be resolved.", "Check the host in the portal URLs, and the DNS servers of the workers' machines."},
	CodeAddressForbidden: {"The host in the portal URLs, or its address, is not allowed.", "Check the host in the portal URLs and its DNS records. To allow an origin, set ICIMS_EXPORT_ICIMS_HOSTS. To allow an address that is not public, set ICIMS_EXPORT_ICIMS_PRIVATE_ADDRESSES."},
	CodeUnreachable:      {"No connection to the host could be opened.", "Check network and firewall: the workers must reach the host over HTTPS (port 443)."},
	CodeTLS:              {"No secure connection to the host could be opened.", "Check for a proxy that intercepts HTTPS, and certificates and clock of the workers' machines."},
	CodeNoAnswer:         {"iCIMS did not answer in time.", "Verify again later. If this persists, check the network and iCIMS's status page."},
	CodeRedirected:       {"The host redirects elsewhere.", "Check the host in the portal URLs, and any proxy in between. Redirects are never followed."},
	CodeFailing:          {"iCIMS failed, or sent an invalid response.", "Verify again later. If this persists, check iCIMS's status page, or give iCIMS support the transaction id."},
	CodeSignIn:           {"iCIMS's sign-in host issued no token.", "Verify again later. If this persists, check token_url and region of the connection."},

	CodeCredentials:    {"iCIMS refuses the user name or password.", "Enter the API user's name and password again; for OAuth, client id and secret. If they are right, ask iCIMS to allow-list " + egressMark + "."},
	CodeAddressRefused: {"iCIMS refused this service's address.", askIcims + "allow-list " + egressMark + " for the API user."},
	CodeAccountDenied:  {"iCIMS refuses all calls of the account.", askIcims + "add the API user to the group of integration users, and to allow-list " + egressMark + " for it."},

	CodeNotAuthorized: {"The user name and password are right, but the user may not use iCIMS's API.", askIcims + "authorize the API user for web services, and to add it to the group of integration users."},
	CodeIntercepted:   {"Something other than iCIMS answered: a proxy, a firewall or a gateway.", "Check every proxy and firewall between the workers and iCIMS, and ask iCIMS to allow-list " + egressMark + "."},

	CodeCustomerUnknown: {"iCIMS does not know the customer id for this account.", "Compare the customer id with the one from iCIMS, and with the number in the portal URLs."},
	CodeCustomerHidden:  {"The account may not read its own customer record.", askIcims + "give the API user the right. Exports do not need it."},

	CodePortalUnknown: {"iCIMS has no job portal with this id or name.", "Copy the portal's URL from iCIMS again."},
	CodePortalHidden:  {"The account may not see the job portal.", askIcims + "give the API user the right to the job portal."},

	CodeRightMissing:  {"The account lacks a right that exports need.", askIcims + "give the API user the right that this check needs."},
	CodeSchemaHidden:  {"The account may not read the list of fields.", "Optional: exports show missing fields too. To see them in advance, ask iCIMS, or the customer's iCIMS administrator, to give the API user the right to the profile definitions."},
	CodeFieldRequired: {"A field that every export needs is missing.", askIcims + "make the field visible to the API user."},
	CodeFieldOptional: {"Fields named in the connection are missing in iCIMS, or hidden from the account.", "Correct their names in the connection, or ask iCIMS to make the fields visible to the API user. Exports omit them until then."},
	CodeRefused:       {"iCIMS refused the call.", "Give iCIMS support the transaction id."},

	CodeQuotaExhausted: {"The day's calls are used up.", "Verify again after midnight UTC. iCIMS sells a higher daily limit."},
	CodeQuotaLow:       {"Less than 10% of the day's calls is left.", "No action needed. Exports wait for midnight UTC when none are left. iCIMS sells a higher daily limit."},
	CodeSlowDown:       {"iCIMS rate-limited the call.", "Verify again in a few minutes. If this happens often, lower the connection's limits."},
	CodeHeldBack:       {"This service blocked the call.", "Verify again in a few minutes."},

	CodeTestRefused:   {"iCIMS refused the test candidate.", "Follow the remedy of the export's reason, then verify again."},
	CodeTestWaits:     {"The test candidate is not in iCIMS yet.", "Check later with icims-export status and the verification's batch, or verify again."},
	CodeTestPartly:    {"iCIMS accepted only part of the test candidate.", "Correct the connection as the warnings say, or accept that exports omit these values."},
	CodeJobUnknown:    {"The job does not exist, or the account may not see it.", "Choose another job, or ask iCIMS to let the API user see it."},
	CodeStatusRefused: {"iCIMS does not know the status in the connection, or the account may not set it.", "Correct the connection's status, preferably with its node id. Workflows are created without a status until then."},

	CodeNotStored:    {"iCIMS accepted fields of the test candidate but did not store them.", askIcims + "let the API user see and edit these fields, then verify again. Exported candidates may lack them until then."},
	CodeEmailHidden:  {"The test candidate's email cannot be read, so exports cannot match people by email.", askIcims + "let the API user see the email address of people."},
	CodeFolderHidden: {"The test candidate's folder cannot be read, so exports cannot tell employees from candidates.", askIcims + "let the API user see the folder (status) of people. Existing people are not updated until then."},
	CodeNotVisible:   {"No search finds the test candidate, although iCIMS has it. Exports would create duplicates of existing people.", askIcims + "let the API user see all people in searches (login group, security filters), then verify again. Pause the customer until then."},
	CodeSearchSingle: {"A search for several addresses does not find all of them.", "No action needed. Each candidate is looked up by itself, which takes one more call."},
	CodePairUnseen:   {"Neither a search nor a read by person and job shows the test candidate's workflow.", askIcims + "give the API user the right to see recruiting workflows, then verify again. Until then existing people are not added to jobs (link_unreadable), to avoid duplicate workflows."},
	CodePairHidden:   {"A workflow cannot be read by person and job.", askIcims + "give the API user the right to recruiting workflows. Until then, a person who was just added to a job may be added twice, if iCIMS allows that."},

	CodeNeedsEarlier: {"An earlier check failed.", "Fix the earlier check, then verify again."},
	CodeNotAsked:     {"Not requested.", ""},
	CodeNoJob:        {"The portals show no job, so the test candidate was sent as a prospect.", "Verify again when a job is posted, or choose one."},
	CodeFault:        {"An unexpected internal error.", "Search the workers' log for the verification's id."},
}

// Codes lists all codes, sorted.
func Codes() []Code { return slices.Sorted(maps.Keys(codes)) }

// Info explains the code.
func (c Code) Info() CodeInfo { return codes[c] }

// remedy returns the remedy of a code, with the addresses to allow-list.
func (c Code) remedy(egress []string) string {
	addresses := "this service's addresses"
	if len(egress) > 0 {
		addresses = strings.Join(egress, ", ")
	}
	return strings.ReplaceAll(codes[c].Remedy, egressMark, addresses)
}
