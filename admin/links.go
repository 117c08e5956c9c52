package admin

import (
	"fmt"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store"
)

// Links builds links into a customer's iCIMS. The zero value builds none.
type Links struct{ root string }

// LinksOf returns the links of a connection; none if its portal URLs are invalid.
func LinksOf(conn store.Connection, hosts icims.HostPolicy) Links {
	portals, err := icims.ParsePortalURLs(conn.PortalURLs, hosts)
	if err != nil {
		return Links{}
	}
	return Links{portals[0].Root.String() + "/customers/" + conn.Customer + "/linkTo/people/"}
}

// Person returns the link to a person's profile; "" if unknown.
func (l Links) Person(id int64) string {
	if l.root == "" || id == 0 {
		return ""
	}
	return fmt.Sprintf("%s%d", l.root, id)
}
