package icimstest

import (
	"errors"
	"fmt"
	"io"
)

// LoadTenants reads tenants from YAML or JSON of the form
//
//	tenants:
//	  - customer: "1234"
//	    username: export-user
//	    password: secret
//	    portals: [{id: 1, name: jobs}]
//	    jobs: [{id: 1709, title: Data Engineer, portals: [1]}]
//
// It refuses unknown names, tenants without customer, user name or password, and tenants with
// invalid people.
func LoadTenants(r io.Reader) ([]TenantConfig, error) {
	var in struct {
		Tenants []TenantConfig `yaml:"tenants"`
	}
	if err := read(r, &in); err != nil {
		return nil, err
	}
	if len(in.Tenants) == 0 {
		return nil, errors.New("tenants: at least one is required")
	}
	for i, t := range in.Tenants {
		if t.Customer == "" || t.Username == "" || t.Password == "" {
			return nil, fmt.Errorf("tenants[%d]: customer, username and password are required", i)
		}
		if atoi(t.Customer) == 0 {
			return nil, fmt.Errorf("tenants[%d]: customer must be a number such as 1234", i)
		}
		if err := t.check(); err != nil {
			return nil, fmt.Errorf("tenants[%d]: %w", i, err)
		}
		trial := New(Config{KeepCalls: -1})
		people := t.People
		t.People = nil
		tenant := trial.AddTenant(t)
		for j, p := range people {
			if _, err := tenant.seed(p); err != nil {
				return nil, fmt.Errorf("tenants[%d].people[%d]: %w", i, j, err)
			}
		}
	}
	return in.Tenants, nil
}
