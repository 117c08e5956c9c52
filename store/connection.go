package store

import (
	"slices"
	"strings"

	"github.com/seekout/icims-export/store/quota"
)

// Connection holds the iCIMS account and the settings of one customer.
type Connection struct {
	// Customer is the iCIMS customer ID: the number of one ATS instance.
	Customer string `yaml:"customer" json:"customer"`
	// Auth is the authentication method; "" means AuthBasic.
	Auth AuthKind `yaml:"auth" json:"auth,omitempty"`
	// Username is the name of the API user; for AuthOAuth the client ID.
	Username string `yaml:"username" json:"username"`
	// Password is the user's password, for AuthHMAC the shared key, for AuthOAuth the client
	// secret. It is never read from or written to a plain file.
	Password Secret `yaml:"-" json:"-"`
	// TokenURL is the token endpoint for AuthOAuth; empty for the region's default.
	TokenURL string `yaml:"token_url" json:"token_url,omitempty"`
	// Capabilities lists the permitted uses of the connection, comma separated.
	Capabilities Capabilities `yaml:"capabilities" json:"capabilities,omitempty"`
	// PortalURLs holds one or more job portal URLs, comma separated, as pasted by the customer.
	// Their origin is the API root of the connection.
	PortalURLs string `yaml:"portal_urls" json:"portal_urls"`
	// Source is the source text of persons and workflows.
	Source string  `yaml:"source" json:"source"`
	Status NodeRef `yaml:"status" json:"status"`
	Folder NodeRef `yaml:"folder" json:"folder"`
	// MissingFolder selects whether to update profiles whose folder iCIMS does not show. Empty:
	// none, since they may be employees. MissingFolderCandidate: all.
	MissingFolder string `yaml:"missing_folder" json:"missing_folder,omitempty"`
	// LinkedInField is the tenant's custom URL field ("field51001"). If empty, profile URLs are
	// left out with a warning.
	LinkedInField string `yaml:"linkedin_field" json:"linkedin_field,omitempty"`
	// DummyDomain is the domain of this customer's dummy email addresses; empty for the
	// deployment's default.
	DummyDomain string     `yaml:"dummy_email_domain" json:"dummy_email_domain,omitempty"`
	Limits      Limits     `yaml:"limits" json:"limits"`
	Fields      FieldNames `yaml:"fields" json:"fields"`
	// Stored means the connection comes from the store, which tracks its state.
	Stored bool `yaml:"-" json:"-"`
	// Profile is what verification found out about the customer's iCIMS. It is stored next to the
	// settings and is not one of them.
	Profile TenantProfile `yaml:"-" json:"-"`
}

// AuthKind is an authentication method.
type AuthKind string

// The authentication methods.
const (
	AuthBasic AuthKind = "basic"
	AuthHMAC  AuthKind = "hmac"
	AuthOAuth AuthKind = "oauth"
)

// AuthKinds lists the authentication methods.
func AuthKinds() []AuthKind { return []AuthKind{AuthBasic, AuthHMAC, AuthOAuth} }

// Capabilities lists the permitted uses of a connection as comma-separated words. It is a string so
// that connections are comparable.
type Capabilities string

// CanExport is the capability to export candidates.
const CanExport = "export"

// Has reports whether the word is among the capabilities.
func (c Capabilities) Has(word string) bool { return slices.Contains(c.List(), word) }

// List returns the words.
func (c Capabilities) List() []string {
	return strings.FieldsFunc(string(c), func(r rune) bool { return r == ',' || r == ' ' })
}

// NodeRef identifies a node of an iCIMS list by ID (preferred, since labels can be renamed) or by
// its visible value.
type NodeRef struct {
	ID    string `yaml:"id" json:"id,omitempty"`
	Value string `yaml:"value" json:"value,omitempty"`
}

// IsZero reports whether neither id nor value is set.
func (n NodeRef) IsZero() bool { return n == NodeRef{} }

// Limits bound the calls for one customer across all processes.
type Limits = quota.Limits

// FieldNames are the tenant's names of the two history collections. They differ between tenants.
type FieldNames struct {
	WorkExperience WorkExperienceFields `yaml:"work_experience" json:"work_experience"`
	Education      EducationFields      `yaml:"education" json:"education"`
}

// WorkExperienceFields names the collection of positions and its children.
type WorkExperienceFields struct {
	Collection string `yaml:"collection" json:"collection"`
	Employer   string `yaml:"employer" json:"employer"`
	Title      string `yaml:"title" json:"title"`
	Start      string `yaml:"start" json:"start"`
	End        string `yaml:"end" json:"end"`
}

// EducationFields names the collection of schools and its children.
type EducationFields struct {
	Collection string `yaml:"collection" json:"collection"`
	School     string `yaml:"school" json:"school"`
	Degree     string `yaml:"degree" json:"degree"`
}

// MissingFolderCandidate treats people whose folder iCIMS does not show as candidates.
const MissingFolderCandidate = "candidate"

// Connection defaults: public iCIMS list nodes, the API sheet's working names for nodes that differ
// by tenant, and the limits of the standard license.
const (
	DefaultSource = "SeekOut"
	DefaultStatus = "Recruiter Submitted"
	DefaultFolder = "D32007" // Cand:Active

	DefaultCallsPerSecond = 5
	DefaultBurst          = 10
	DefaultInFlight       = 4
	DefaultCallsPerDay    = 10_000
	DefaultExpressReserve = 5 // percent
)

// DefaultLimits returns the limits of a connection that sets none.
func DefaultLimits() Limits {
	return Limits{
		CallsPerSecond: DefaultCallsPerSecond, Burst: DefaultBurst, InFlight: DefaultInFlight,
		CallsPerDay: DefaultCallsPerDay, ExpressReserve: DefaultExpressReserve, DayAssumed: true,
	}
}

// WithDefaults returns the connection with its empty settings replaced by their defaults.
func (c Connection) WithDefaults() Connection {
	c.Auth = or(c.Auth, AuthBasic)
	c.Capabilities = or(c.Capabilities, CanExport)
	c.Source = or(c.Source, DefaultSource)
	if c.Status.IsZero() {
		c.Status.Value = DefaultStatus
	}
	if c.Folder.IsZero() {
		c.Folder.ID = DefaultFolder
	}
	c.Limits = c.Limits.Or(DefaultLimits())
	w := &c.Fields.WorkExperience
	w.Collection = or(w.Collection, "workexperience")
	w.Employer = or(w.Employer, "workemployer")
	w.Title = or(w.Title, "worktitle")
	w.Start = or(w.Start, "workstartdate")
	w.End = or(w.End, "workenddate")
	e := &c.Fields.Education
	e.Collection = or(e.Collection, "education")
	e.School = or(e.School, "school")
	e.Degree = or(e.Degree, "degree")
	return c
}

// WithLimits returns the connection with other limits.
func (c Connection) WithLimits(l Limits) Connection {
	c.Limits = l
	return c
}

func or[T comparable](v, fallback T) T {
	var zero T
	if v == zero {
		return fallback
	}
	return v
}

// Secret is a string that does not print its value.
type Secret string

const redacted = "[redacted]"

// String hides the secret from %v.
func (Secret) String() string { return redacted }

// GoString hides the secret from %#v.
func (Secret) GoString() string { return redacted }
