package console

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/seekout/icims-export/api"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks/input"
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
	// Further means that it is not the first page of the list.
	Further bool
	Wrong   bool
}

// integration is a connection in the console.
type integration struct{ api.Connection }

// shownIntegrations is the page size.
const shownIntegrations = 50

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
		page.Connections = append(page.Connections, integration{c})
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

// toIntegrations redirects to a customer's connection, or to all.
func (v *visit) toIntegrations() error {
	wanted := strings.TrimSpace(v.r.URL.Query().Get("customer"))
	switch {
	case input.ValidCustomer(wanted):
		return v.redirect("/connections/"+wanted, "")
	case wanted != "":
		return v.redirect("/?wrong=1", "")
	}
	return v.redirect("/", "")
}

// inFile is the displayed state of a connection that is only in the connections file.
const inFile = "connections file"

// Stands returns the connection's state.
func (c integration) Stands() string {
	if c.Filed {
		return inFile
	}
	return c.State
}

// connectionProblem is a connection's problem with its remedy; the title is "" for none.
type connectionProblem struct{ Title, Remedy string }

// Trouble returns the connection's problem.
func (c integration) Trouble() connectionProblem {
	switch {
	case c.Sealed:
		return connectionProblem{"This service's keyset does not open the settings.", "Ask an operator to install the current keyset, or add the connection again."}
	case c.Filed && c.Verified != nil && c.Verified.Worst != nil:
		return connectionProblem{c.Verified.Worst.Cause, c.Verified.Worst.Remedy + " Edit it in the workers' connections file."}
	case c.Filed:
		return connectionProblem{"Managed in the connections file.", ""}
	case c.Problem != "":
		return connectionProblem{sentenceCase(c.Problem) + ".", "Edit the connection."}
	case c.Verified != nil && c.Verified.Worst != nil && store.VerifyReason(string(c.Verified.Worst.Code)) == c.Reason:
		// The verification's text is clearer than the title of its code.
		return connectionProblem{c.Verified.Worst.Cause, c.Verified.Worst.Remedy}
	case c.Reason == "" && c.State == string(store.ConnectionNew):
		return connectionProblem{"Not verified since its last change.", "Verify the connection to check that it works. Exports already use it."}
	}
	if c.Title == "" {
		return connectionProblem{}
	}
	return connectionProblem{sentenceCase(strings.TrimSuffix(c.Title, ".")) + ".", c.Hint}
}

// connectionStateNames are the displayed names of connection states.
var connectionStateNames = map[string]string{
	string(store.ConnectionAbsent): "no connection", string(store.ConnectionNew): "not verified", string(store.ConnectionVerifying): "verifying",
	string(store.ConnectionConnected): "connected", string(store.ConnectionDegraded): "degraded", string(store.CredentialsRejected): "credentials rejected",
	string(store.AccessDenied): "access denied", string(store.ConnectionPaused): "paused", string(store.ConnectionRemoved): "removed",
}

// connectionWord returns the displayed name of a connection's state.
func connectionWord(state any) string {
	text := fmt.Sprint(state)
	if word, ok := connectionStateNames[text]; ok {
		return word
	}
	return text
}
