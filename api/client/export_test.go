package client

// Strictly refuses answers with members that are not known here, so that tests see what
// this package leaves out.
func Strictly() Option { return func(c *Client) { c.strict = true } }
