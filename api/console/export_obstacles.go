package console

import (
	"slices"
	"strings"

	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/api"
	"github.com/seekout/icims-export/store"
)

// obstacle is something that would block exports, shown before submitting, with its remedy and a
// link.
type obstacle struct {
	// Shut means that the API accepts no candidates.
	Shut bool
	Text string
	Mend *link
}

// obstacles returns what would block the customer's exports. They do not disable the form: the API
// decides whether it accepts candidates.
func (v *visit) obstacles() ([]obstacle, error) {
	of, err := v.connectionObstacle()
	if err != nil {
		return nil, err
	}
	if of != nil && of.Shut {
		return []obstacle{*of}, nil
	}
	found, err := v.laneObstacles(of != nil)
	if of != nil {
		found = append([]obstacle{*of}, found...)
	}
	return found, err
}

// noConnection is the obstacle of a missing connection.
func (v *visit) noConnection() *obstacle {
	return &obstacle{Shut: true, Text: "This customer has no connection. Add one to export candidates.", Mend: v.connectionLink()}
}

// connectionLink links to the form for the connection, or to the page that says who can add it.
func (v *visit) connectionLink() *link {
	if v.May(api.ScopeAdmin) {
		return &link{Name: "Add connection", Path: "/connections/new?customer=" + v.Customer}
	}
	return &link{Name: "View connection (adding one requires a key with the admin scope)", Path: "/connections/" + v.Customer}
}

// connectionObstacle returns the connection's problem; nil for none. The lane reports a pause.
func (v *visit) connectionObstacle() (*obstacle, error) {
	c := integration{}
	err := v.get(v.customerPath("connection"), nil, &c.Connection)
	refused, ok := refusalOf(err)
	switch {
	case ok && refused.Code == api.CodeNoConnection:
		return v.noConnection(), nil
	case ok:
		return nil, nil //nolint:nilnil // unknown; the form is shown anyway
	case err != nil:
		return nil, err
	}
	if c.Pause != nil {
		c.State = c.Below
	}
	mend := toConnection(v.Customer)
	state, t := store.ConnectionState(c.State), c.Trouble()
	switch {
	case state == store.ConnectionRemoved:
		return v.noConnection(), nil
	case state == store.ConnectionVerifying:
		t = connectionProblem{"The connection is being verified.", "Wait for the result to be sure that exports work."}
	case c.Filed && c.Verified == nil, state == store.ConnectionNew && c.Problem == "" && !c.Sealed:
		t = connectionProblem{"The connection has not been verified since its last change.", "Verify it first to be sure that exports work."}
	case c.Filed && c.Verified.Worst == nil:
		t = connectionProblem{}
	case state == store.ConnectionDegraded:
		t.Title = "The connection is degraded. " + t.Title
	}
	if t.Title == "" {
		return nil, nil //nolint:nilnil // no problem
	}
	return &obstacle{Shut: c.Sealed, Text: strings.TrimSpace(t.Title + " " + t.Remedy), Mend: &mend}, nil
}

// laneObstacles returns what blocks the lane. told means that the connection's problem is already
// shown.
func (v *visit) laneObstacles(told bool) ([]obstacle, error) {
	var detail admin.LaneDetail
	if err := v.get(v.customerPath("lane"), nil, &detail); err != nil {
		if _, refused := refusalOf(err); refused {
			return nil, nil // the form is shown anyway
		}
		return nil, err
	}
	var found []obstacle
	lane := laneRow{detail.Lane, v.clock()}
	mend := link{Name: "View lane", Path: lanePath(v.Customer)}
	if v.May(api.ScopeOperate) && lane.State == admin.LanePaused {
		mend.Name = "Resume lane"
	}
	switch refusedByICIMS := slices.Contains([]store.Reason{"icims_credentials", "icims_access_denied", "icims_not_authorized", "icims_search_refused"}, lane.Reason); {
	case lane.State == admin.LanePaused:
		found = append(found, obstacle{Text: "Exports will wait: the lane is paused " + lane.Why(), Mend: &mend})
	case lane.Keeps() && told && refusedByICIMS: // the cause of the connection's problem
	case lane.Keeps():
		if to := lane.Mend(); to != nil {
			mend = *to
		}
		found = append(found, obstacle{Text: strings.TrimSpace("Exports will wait: " + lane.Why() + " " + lane.Hint()), Mend: &mend})
	}
	switch {
	case detail.Outage != nil:
		found = append(found, obstacle{Text: "Exports will wait. " + detail.Outage.String()})
	case lane.Connection != "" && !told:
		to := toConnection(v.Customer)
		found = append(found, obstacle{Text: "Exports will wait: no worker has a usable connection for this customer. Add or correct it.", Mend: &to})
	}
	return found, nil
}
