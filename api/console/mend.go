package console

import (
	"strings"

	"github.com/seekout/icims-export/store"
)

// mendOf is the page on which a person can do something about a reason; nil where there
// is none.
func mendOf(customer string, reason store.Reason) *link {
	switch reason {
	case "icims_credentials", "icims_access_denied", "icims_auth_unavailable", "icims_address_refused", "icims_redirected", "icims_unreachable", "icims_tls",
		"icims_field_refused", store.ReasonNoConnection:
		return &link{Name: "Look at the connection", Path: "/connections/" + customer}
	case store.ReasonJobNotFound:
		return &link{Name: "Look at the jobs", Path: "/customers/" + customer + "/jobs"}
	case store.ReasonBudgetSpent, store.ReasonBreakerOpen, store.ReasonPaused, "icims_quota_exhausted", "icims_rate_limited":
		return &link{Name: "Look at the lane", Path: lanePath(customer)}
	case store.ReasonPayloadBroken, store.ReasonPayloadSealed, "icims_not_found", "icims_request_too_large":
		return &link{Name: "Export again", Path: "/customers/" + customer + "/export"}
	}
	return nil
}

// meaning is what docs/errors.md says about a reason, without its backquotes.
func meaning(reason store.Reason) string { return strings.ReplaceAll(reason.Meaning(), "`", "") }
