package config_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seekout/icims-export/config"
	"github.com/seekout/icims-export/store"
)

// folder creates a connections file and the password files it names.
func folder(t *testing.T, connections string, passwords map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range passwords {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(dir, "connections.yml")
	if err := os.WriteFile(path, []byte(connections), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func environment(name string) (string, bool) {
	value, ok := map[string]string{"ICIMS_PASSWORD": "from-env", "EMPTY": ""}[name]
	return value, ok
}

const fullConnection = `connections:
  - customer: "1234"
    username: export-user
    password_file: password
    portal_urls: "https://api.icims.com/customers/1234/search/portals/1?staleness=0"
    auth: oauth
    token_url: "https://login.icims.com/oauth/token"
    capabilities: export
    dummy_email_domain: dummies.example.com
    source: Sourced
    status: {id: D10}
    folder: {value: "Candidates"}
    linkedin_field: field51001
    limits: {calls_per_second: 2.5, burst: 3, in_flight: 2, calls_per_day: 500, express_reserve: 7}
    fields:
      work_experience: {collection: c1, employer: c2, title: c3, start: c4, end: c5}
      education: {collection: d1, school: d2, degree: d3}
`

func TestReadConnections(t *testing.T) {
	t.Run("every field is read", func(t *testing.T) {
		path := folder(t, fullConnection, map[string]string{"password": "hunter2\n"})
		got, warnings, err := config.ReadConnections(path, environment, store.DefaultLimits())
		if err != nil || len(warnings) > 0 {
			t.Fatalf("%v, warnings %q", err, warnings)
		}
		want := []store.Connection{{
			Customer: "1234", Auth: store.AuthOAuth, Username: "export-user", Password: "hunter2",
			TokenURL: "https://login.icims.com/oauth/token", Capabilities: "export", DummyDomain: "dummies.example.com",
			PortalURLs: "https://api.icims.com/customers/1234/search/portals/1?staleness=0",
			Source:     "Sourced", Status: store.NodeRef{ID: "D10"}, Folder: store.NodeRef{Value: "Candidates"}, LinkedInField: "field51001",
			Limits: store.Limits{CallsPerSecond: 2.5, Burst: 3, InFlight: 2, CallsPerDay: 500, ExpressReserve: 7},
			Fields: store.FieldNames{
				WorkExperience: store.WorkExperienceFields{Collection: "c1", Employer: "c2", Title: "c3", Start: "c4", End: "c5"},
				Education:      store.EducationFields{Collection: "d1", School: "d2", Degree: "d3"},
			},
		}}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
	t.Run("what is left out has its default", func(t *testing.T) {
		path := folder(t, "connections:\n- {customer: 0123, username: u, password_env: ICIMS_PASSWORD, portal_urls: p, limits: {burst: 7}}\n", nil)
		got, _, err := config.ReadConnections(path, environment, store.DefaultLimits())
		if err != nil {
			t.Fatal(err)
		}
		want := store.Connection{Customer: "0123", Username: "u", Password: "from-env", PortalURLs: "p", Limits: store.Limits{Burst: 7}}.WithDefaults()
		if diff := cmp.Diff([]store.Connection{want}, got); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	})
	t.Run("the example of the reference is accepted", func(t *testing.T) {
		_, example, _ := strings.Cut(config.Reference(), "connections:\n")
		example, _, _ = strings.Cut(example, "```")
		path := folder(t, "connections:\n"+strings.Replace(example, "secrets/1234", "password", 1), map[string]string{"password": "x"})
		got, _, err := config.ReadConnections(path, environment, store.DefaultLimits())
		if err != nil || len(got) != 1 {
			t.Errorf("got %d connections, %v", len(got), err)
		}
	})
	t.Run("an empty list is no mistake", func(t *testing.T) {
		got, _, err := config.ReadConnections(folder(t, "connections: []\n", nil), environment, store.DefaultLimits())
		if err != nil || len(got) != 0 {
			t.Errorf("got %v, %v", got, err)
		}
	})
}

func TestPasswordFiles(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"a trailing newline is trimmed":            {"hunter2\n", "hunter2"},
		"a trailing newline of Windows is trimmed": {"hunter2\r\n", "hunter2"},
		"no trailing newline is needed":            {"hunter2", "hunter2"},
		"spaces are part of the password":          {" hunter 2 \n", " hunter 2 "},
	} {
		t.Run(name, func(t *testing.T) {
			got, _, err := config.ReadConnections(folder(t, fullConnection, map[string]string{"password": tt.text}), environment, store.DefaultLimits())
			if err != nil || len(got) != 1 || string(got[0].Password) != tt.want {
				t.Errorf("got %d connections, %v", len(got), err)
			}
		})
	}
	t.Run("an absolute path is taken as it is", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "elsewhere")
		if err := os.WriteFile(path, []byte("hunter2"), 0o600); err != nil {
			t.Fatal(err)
		}
		got, _, err := config.ReadConnections(folder(t, strings.Replace(fullConnection, "password_file: password", "password_file: "+path, 1), nil), environment, store.DefaultLimits())
		if err != nil || len(got) != 1 || string(got[0].Password) != "hunter2" {
			t.Errorf("got %d connections, %v", len(got), err)
		}
	})
	t.Run("one that everybody may read is warned of", func(t *testing.T) {
		path := folder(t, fullConnection, map[string]string{"password": "hunter2"})
		if err := os.Chmod(filepath.Join(filepath.Dir(path), "password"), 0o644); err != nil {
			t.Fatal(err)
		}
		got, warnings, err := config.ReadConnections(path, environment, store.DefaultLimits())
		if err != nil || len(got) != 1 {
			t.Errorf("got %d connections, %v", len(got), err)
		}
		if len(warnings) != 1 || !strings.Contains(warnings[0], "chmod 600") {
			t.Errorf("warnings %q", warnings)
		}
	})
}

func TestBadConnections(t *testing.T) {
	const good = `connections:
  - {customer: "1", username: u, password_env: ICIMS_PASSWORD, portal_urls: p}
`
	item := func(fields string) string { return good + "  - {" + fields + "}\n" }
	const base = `customer: "2", username: u, portal_urls: p, `
	tests := map[string]struct{ yaml, want string }{
		"an unknown name":                   {item(base + "password_env: ICIMS_PASSWORD, user_name: x"), `:3: unknown setting "user_name"; did you mean "username"?`},
		"an unknown name deep inside":       {item(base + "password_env: ICIMS_PASSWORD, fields: {education: {shool: x}}"), `:3: unknown setting "shool"; did you mean "school"?`},
		"a password in the file":            {item(base + "password: hunter2"), ":3: a password must not be in this file: put it in a separate file named by password_file"},
		"no password":                       {item(`customer: "2", username: u, portal_urls: p`), ":3: the password is missing: give password_file"},
		"two passwords":                     {item(base + "password_env: ICIMS_PASSWORD, password_file: x"), ":3: the password has two sources"},
		"a variable that is not set":        {item(base + "password_env: NOT_SET"), ":3: the environment variable NOT_SET, named by password_env, is not set"},
		"a variable that is empty":          {item(base + "password_env: EMPTY"), ":3: the environment variable EMPTY"},
		"a password file that is not there": {item(base + "password_file: gone"), "gone cannot be read (no such file or directory)"},
		"an empty password file":            {item(base + "password_file: empty"), "empty is empty: write the password to it"},
		"a password file of several lines":  {item(base + "password_file: lines"), "lines has several lines"},
		"a customer that is no number":      {item(`customer: acme, username: u, portal_urls: p, password_env: ICIMS_PASSWORD`), `:3: "customer" must be the iCIMS customer ID, digits only`},
		"no customer":                       {item(`username: u, portal_urls: p, password_env: ICIMS_PASSWORD`), `:3: "customer" must be`},
		"no user":                           {item(`customer: "2", portal_urls: p, password_env: ICIMS_PASSWORD`), `:3: "username" is missing`},
		"no portal":                         {item(`customer: "2", username: u, password_env: ICIMS_PASSWORD`), `:3: "portal_urls" is missing`},
		"a customer given twice":            {item(`customer: "1", username: u, portal_urls: p, password_env: ICIMS_PASSWORD`), ":3: customer 1 is duplicated, first in line 2: keep one"},
		"a limit of zero":                   {item(base + "password_env: ICIMS_PASSWORD, limits: {calls_per_day: 0}"), `:3: "calls_per_day" must be a number above zero`},
		"a negative limit":                  {item(base + "password_env: ICIMS_PASSWORD, limits: {calls_per_second: -1}"), `:3: "calls_per_second" must be a number above zero`},
		"an infinite limit":                 {item(base + "password_env: ICIMS_PASSWORD, limits: {calls_per_second: .inf}"), `:3: "calls_per_second" must be a number above zero`},
		"too large a reserve":               {item(base + "password_env: ICIMS_PASSWORD, limits: {express_reserve: 91}"), `:3: "express_reserve" must be a percentage from 1 to 90`},
		"a limit that is no number":         {item(base + "password_env: ICIMS_PASSWORD, limits: {burst: many}"), `:3: "burst" must be a number above zero`},
		"limits that are no mapping":        {item(base + "password_env: ICIMS_PASSWORD, limits: 5"), `:3: "limits" must be a mapping`},
		"a list instead of a text":          {item(base + "password_env: ICIMS_PASSWORD, source: [a]"), `:3: "source" must have a plain value`},
		"a text instead of a connection":    {good + "  - acme\n", ":3: a connection must be a mapping"},
		"a second name at the top":          {good + "conections: []\n", `:3: unknown setting "conections"; did you mean "connections"?`},
	}
	for name, tt := range tests {
		t.Run(name+" is named, and the good connection is kept", func(t *testing.T) {
			path := folder(t, tt.yaml, map[string]string{"empty": "\n", "lines": "hunter2\nx\n"})
			got, _, err := config.ReadConnections(path, environment, store.DefaultLimits())
			if len(got) != 1 || got[0].Customer != "1" {
				t.Errorf("%d connections are kept", len(got))
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got  %v\nwant %s", err, tt.want)
			}
			if fileErr := (*config.FileError)(nil); !errors.As(err, &fileErr) {
				t.Errorf("a %T is not a *FileError", err)
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Errorf("the password is in: %v", err)
			}
		})
	}
	t.Run("all that is wrong is named at once", func(t *testing.T) {
		_, _, err := config.ReadConnections(folder(t, item("customer: x")+"  - {customer: y}\n", nil), environment, store.DefaultLimits())
		for _, want := range []string{":3: \"customer\"", ":3: \"username\"", ":3: the password", ":4: \"portal_urls\""} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%s is missing in: %v", want, err)
			}
		}
	})
}

func TestUnreadableConnections(t *testing.T) {
	for name, tt := range map[string]struct{ yaml, want string }{
		"a file without the list":     {"customers: []\n", "has no list of connections"},
		"an empty file":               {"", "has no list of connections"},
		"a mapping instead of a list": {"connections: {customer: 1}\n", `:1: "connections" must be a list`},
		"broken YAML":                 {"connections:\n  - password: \"hunter2\n", "is not valid YAML"},
		"broken indentation":          {"connections:\n  - customer: 1\n   password: hunter2\n", "is not valid YAML"},
	} {
		t.Run(name, func(t *testing.T) {
			got, _, err := config.ReadConnections(folder(t, tt.yaml, nil), environment, store.DefaultLimits())
			if len(got) != 0 || err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %d connections, %v", len(got), err)
			}
			if strings.Contains(fmt.Sprint(err), "hunter2") {
				t.Errorf("the password is in: %v", err)
			}
		})
	}
	t.Run("a file that is not there", func(t *testing.T) {
		_, _, err := config.ReadConnections("/does/not/exist.yml", environment, store.DefaultLimits())
		if err == nil || err.Error() != "/does/not/exist.yml: cannot be read: no such file or directory" {
			t.Errorf("got %v", err)
		}
	})
}

func FuzzReadConnections(f *testing.F) {
	f.Add(fullConnection)
	for _, seed := range []string{
		"", "connections:", "connections: [{}]", "connections: [[]]", "connections: [{a: 1}, null, ~]", "connections: &a [*a]",
		"connections:\n- customer: !!str 1\n  limits: null\n  status: [", "? a\n: b", "connections:\n- <<: {customer: 1}", "a: |\n  b\n", "\x00",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		path := folder(t, text, map[string]string{"password": "x"})
		got, _, err := config.ReadConnections(path, environment, store.DefaultLimits())
		for _, c := range got {
			if c.Customer == "" || c.Username == "" || c.PortalURLs == "" || c.Password == "" || c.Limits.CallsPerSecond <= 0 || c.Limits.Burst <= 0 || c.Limits.InFlight <= 0 || c.Limits.CallsPerDay <= 0 {
				t.Errorf("accepted an incomplete connection: %+v", c)
			}
		}
		if fileErr := (*config.FileError)(nil); err != nil && !errors.As(err, &fileErr) {
			t.Errorf("a %T is not a *FileError", err)
		}
	})
}
