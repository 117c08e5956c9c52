package client

// Strictly refuses responses with unknown fields, so that tests notice what this package lacks.
func Strictly() Option { return func(c *Client) { c.strict = true } }
