package redistest

import "context"

// DiesWithParent says whether this system kills children with their parent.
var DiesWithParent = dieWithParent() != nil

// Poll is poll with the limit of a server's start.
func Poll(ready func(context.Context) error) error { return poll(startLimit, ready) }
