package console

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/seekout/icims-export/api"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/verify"
)

func (c *Console) registerIntegrations() {
	c.handle("GET /{$}", "integrations", api.ScopeRead, (*visit).integrations)
	c.handle("GET /integrations", "integrations", api.ScopeRead, (*visit).toIntegrations)
}

// integrationsPage is the first page: all connections.
type integrationsPage struct {
	Connections []integration
	More        string
	Egress      []string
	// Further: it is not the first page of the list.
	Further bool
	Wrong   bool
}

// integration is a connection with its latest verification.
type integration struct {
	api.Connection

	Verified *verify.Verification
}

// shownIntegrations is how many a page lists: each takes a call to the API, and a key has
// only so many of them a second.
const shownIntegrations = 20

func (v *visit) integrations() error {
	q := v.r.URL.Query()
	page := integrationsPage{Further: q.Has("cursor"), Wrong: q.Has("wrong")}
	ask := url.Values{"limit": {strconv.Itoa(shownIntegrations)}}
	if cursor := q.Get("cursor"); cursor != "" {
		ask.Set("cursor", cursor)
	}
	var list api.Connections
	if err := v.get(apiPath("connections"), ask, &list); err != nil {
		return err
	}
	for _, c := range list.Connections {
		i := integration{Connection: c}
		var err error
		if i.Verified, err = v.lastVerified(c.Customer); err != nil {
			return err
		}
		page.Connections = append(page.Connections, i)
	}
	if list.Next != "" {
		page.More = "/?" + url.Values{"cursor": {list.Next}}.Encode()
	}
	var err error
	if page.Egress, err = v.egress(); err != nil {
		return err
	}
	return v.page("integrations", "Integrations", page)
}

// lastVerified is a customer's latest verification that has ended; nil where none is
// known. A list is shown without them rather than not at all.
func (v *visit) lastVerified(customer string) (*verify.Verification, error) {
	list, err := v.verifications(customer)
	if _, refused := refusalOf(err); refused {
		return nil, nil //nolint:nilnil // there is none, and nothing is wrong
	}
	for _, found := range list {
		if found.State == store.ErrandDone {
			return &found, nil
		}
	}
	return nil, err
}

func (v *visit) verifications(customer string) ([]verify.Verification, error) {
	var list api.Verifications
	err := v.get(apiPath("customers", customer, "verifications"), nil, &list)
	return list.Verifications, err
}

// toIntegrations leads to a customer's connection, or to all.
func (v *visit) toIntegrations() error {
	wanted := strings.TrimSpace(v.r.URL.Query().Get("customer"))
	switch {
	case store.ValidCustomer(wanted):
		return v.redirect("/connections/"+wanted, "")
	case wanted != "":
		return v.redirect("/?wrong=1", "")
	}
	return v.redirect("/", "")
}

// Trouble is what keeps the connection from being used, or from being sure of it: its
// title and what to do; "" for nothing.
func (i integration) Trouble() trouble { return troubleOf(i.Connection, i.Verified) }

// trouble is why a connection stands as it does, and what to do about it.
type trouble struct{ Title, Remedy string }

func troubleOf(c api.Connection, verified *verify.Verification) trouble {
	switch {
	case c.Sealed:
		return trouble{"This service's keyset does not open the settings.", "Whoever runs the service gives it the newest keyset, or the connection is entered anew."}
	case c.Problem != "":
		return trouble{sentenceCase(c.Problem) + ".", "Edit the connection."}
	case strings.HasPrefix(string(c.Reason), "verify_") && verified != nil:
		// What the verification says is plainer than the name of its code.
		if worst, ok := verified.Report.Worst(); ok && "verify_"+string(worst.Code) == string(c.Reason) {
			return trouble{worst.Cause, worst.Remedy}
		}
	case c.Reason == "" && c.State == string(store.ConnectionNew):
		return trouble{"Nobody has verified it since it was entered or changed.", "It is used all the same. Verify it to know that it works."}
	}
	if c.Title == "" {
		return trouble{}
	}
	return trouble{sentenceCase(strings.TrimSuffix(c.Title, ".")) + ".", c.Hint}
}

// connectionWords are the states of a connection as pages call them.
var connectionWords = map[string]string{
	string(store.ConnectionAbsent): "not entered", string(store.ConnectionNew): "not verified", string(store.ConnectionVerifying): "verifying",
	string(store.ConnectionConnected): "connected", string(store.ConnectionDegraded): "degraded", string(store.CredentialsRejected): "credentials refused",
	string(store.AccessDenied): "access denied", string(store.ConnectionPaused): "paused", string(store.ConnectionRemoved): "removed",
}

// connectionWord is what a connection's state is called.
func connectionWord(state any) string {
	text := fmt.Sprint(state)
	if word, ok := connectionWords[text]; ok {
		return word
	}
	return text
}
