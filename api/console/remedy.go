package console

import (
	"slices"
	"strings"

	"github.com/seekout/icims-export/store"
)

// fixPages maps a reason to the page that fixes it.
var fixPages = map[store.Reason]func(customer string) link{
	"icims_credentials": toConnection, "icims_access_denied": toConnection, "icims_not_authorized": toConnection, "icims_search_refused": toConnection, "icims_intercepted": toConnection, "icims_auth_unavailable": toConnection, "icims_address_refused": toConnection,
	"icims_redirected": toConnection, "icims_unreachable": toConnection, "icims_tls": toConnection, "icims_field_refused": toConnection, store.ReasonNoConnection: toConnection,

	store.ReasonJobNotFound: func(customer string) link {
		return link{Name: "View jobs", Path: "/customers/" + customer + "/jobs"}
	},

	store.ReasonBudgetSpent: toLane, store.ReasonBreakerOpen: toLane, store.ReasonPaused: toLane, "icims_quota_exhausted": toLane, "icims_rate_limited": toLane,

	store.ReasonPayloadBroken: toExport, store.ReasonForged: toExport, store.ReasonPayloadSealed: toExport, store.ReasonPayloadMissing: toExport, "icims_not_found": toExport, "icims_request_too_large": toExport,
}

// uselessRetries are reasons for which a retry without changes fails again.
var uselessRetries = []store.Reason{store.ReasonJobNotFound, store.ReasonPayloadBroken, store.ReasonForged, "icims_not_found", "icims_request_too_large"}

// isVain reports whether a retry alone fails again.
func isVain(reason store.Reason) bool { return slices.Contains(uselessRetries, reason) }

func toConnection(customer string) link {
	return link{Name: "View connection", Path: "/connections/" + customer}
}

func toLane(customer string) link { return link{Name: "View lane", Path: lanePath(customer)} }

func toExport(customer string) link {
	return link{Name: "Export again", Path: "/customers/" + customer + "/export"}
}

// fixPage returns the link to the page that fixes a reason; nil for none.
func fixPage(customer string, reason store.Reason) *link {
	to, ok := fixPages[reason]
	if !ok {
		return nil
	}
	l := to(customer)
	return &l
}

// openLane links to the lane's page if one of the sentences names the resume command; otherwise it
// is nil.
func openLane(customer string, waits []string) *link {
	for _, sentence := range waits {
		if strings.Contains(sentence, "icims-export resume") {
			return &link{Name: "View lane", Path: lanePath(customer)}
		}
	}
	return nil
}

// meaning returns a reason's text in docs/errors.md, without backquotes.
func meaning(reason store.Reason) string { return strings.ReplaceAll(reason.Meaning(), "`", "") }
