package icims

import (
	"context"
	"errors"
)

// Customer is one iCIMS instance as it describes itself (API sheet §10).
type Customer struct {
	ID           int64
	Name         string
	PlatformURL  string
	Type         string // "test" for a test instance
	BuildVersion string
}

// Customer reads the instance. It is the cheapest check of the credentials and the customer ID (API
// sheet §2.4).
func (c *Client) Customer(ctx context.Context) (*Customer, *Response, error) {
	req, err := c.newRequest(ctx, opCustomer, nil, "", nil)
	if err != nil {
		return nil, nil, err
	}
	v := new(Customer)
	resp, err := c.do(req, v)
	if err != nil {
		return nil, resp, err
	}
	if v.Type == "" {
		v.Type = resp.Header.Get("X-Customer-Type")
	}
	return v, resp, nil
}

// IsTest reports whether this is a test instance.
func (v *Customer) IsTest() bool { return v.Type == "test" }

// UnmarshalJSON reads the known fields.
func (v *Customer) UnmarshalJSON(b []byte) error {
	raw, err := object(b)
	if err != nil {
		return err
	}
	*v = Customer{}
	if id, ok := raw["id"]; ok {
		err = unmarshalID(&v.ID, id)
	}
	return errors.Join(
		err,
		textMember(raw, "name", &v.Name),
		textMember(raw, "platformUrl", &v.PlatformURL),
		textMember(raw, "customerType", &v.Type),
		textMember(raw, "buildVersion", &v.BuildVersion),
	)
}
