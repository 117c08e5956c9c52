package operate

import (
	"fmt"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store"
)

// Links makes links into a customer's iCIMS. The zero Links makes none.
type Links struct{ root string }

// LinksOf returns the links of a connection: none where its portal URLs are wrong.
func LinksOf(conn store.Connection, hosts icims.HostPolicy) Links {
	portals, err := icims.ParsePortalURLs(conn.PortalURLs, hosts)
	if err != nil {
		return Links{}
	}
	return Links{portals[0].Root.String() + "/customers/" + conn.Customer + "/linkTo/people/"}
}

// Person is the address of a person's profile; "" where it is not known.
func (l Links) Person(id int64) string {
	if l.root == "" || id == 0 {
		return ""
	}
	return fmt.Sprintf("%s%d", l.root, id)
}
