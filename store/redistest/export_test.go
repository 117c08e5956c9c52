package redistest

import "context"

// DiesWithParent reports whether this system kills children with their parent.
var DiesWithParent = dieWithParent() != nil

// Poll is poll.
func Poll(ready func(context.Context) error) error { return poll(ready) }
