package store

import (
	"slices"
	"strings"

	"github.com/seekout/icims-export/store/quota"
)

// Connection is one customer's iCIMS account and how that tenant is set up.
type Connection struct {
	// Customer is iCIMS's customer id: the number of one ATS instance.
	Customer string `yaml:"customer" json:"customer"`
	// Auth is the way the calls are authenticated: "" is AuthBasic.
	Auth AuthKind `yaml:"auth" json:"auth,omitempty"`
	// Username is the API user's name; for AuthOAuth the client id.
	Username string `yaml:"username" json:"username"`
	// Password is the user's password, for AuthHMAC the shared key, for AuthOAuth the
	// client secret. It is never read from or written to a plain file.
	Password Secret `yaml:"-" json:"-"`
	// TokenURL is where AuthOAuth gets its tokens; empty for that of the region.
	TokenURL string `yaml:"token_url" json:"token_url,omitempty"`
	// Capabilities is what the connection may be used for, comma separated.
	Capabilities Capabilities `yaml:"capabilities" json:"capabilities,omitempty"`
	// PortalURLs holds one or more job portal URLs, comma separated, as the
	// customer pastes them. Their origin is the API root of the connection.
	PortalURLs string `yaml:"portal_urls" json:"portal_urls"`
	// Source is the text stored as source of persons and workflows.
	Source string  `yaml:"source" json:"source"`
	Status NodeRef `yaml:"status" json:"status"`
	Folder NodeRef `yaml:"folder" json:"folder"`
	// MissingFolder says whose profiles are updated whose folder iCIMS does not show:
	// empty for nobody's, since they may be employees; MissingFolderCandidate for all.
	MissingFolder string `yaml:"missing_folder" json:"missing_folder,omitempty"`
	// LinkedInField is the tenant's custom URL field ("field51001"). Empty
	// means that profile URLs are left out, with a warning.
	LinkedInField string `yaml:"linkedin_field" json:"linkedin_field,omitempty"`
	// DummyDomain is the domain of addresses made up for this customer's candidates;
	// empty for that of the deployment.
	DummyDomain string     `yaml:"dummy_email_domain" json:"dummy_email_domain,omitempty"`
	Limits      Limits     `yaml:"limits" json:"limits"`
	Fields      FieldNames `yaml:"fields" json:"fields"`
	// Stored: it is the store's, whose state follows what iCIMS says to it.
	Stored bool `yaml:"-" json:"-"`
	// Profile is what verification has found out about the customer's iCIMS. It is kept beside the
	// settings and is not one of them.
	Profile TenantProfile `yaml:"-" json:"-"`
}

// AuthKind is a way to authenticate calls.
type AuthKind string

// The ways to authenticate.
const (
	AuthBasic AuthKind = "basic"
	AuthHMAC  AuthKind = "hmac"
	AuthOAuth AuthKind = "oauth"
)

// AuthKinds lists them.
func AuthKinds() []AuthKind { return []AuthKind{AuthBasic, AuthHMAC, AuthOAuth} }

// Capabilities is what a connection may be used for: words, comma separated. It is
// a text, so that connections can be compared.
type Capabilities string

// CanExport is the capability to export candidates.
const CanExport = "export"

// Has reports whether the word is among the capabilities.
func (c Capabilities) Has(word string) bool { return slices.Contains(c.List(), word) }

// List returns the words.
func (c Capabilities) List() []string {
	return strings.FieldsFunc(string(c), func(r rune) bool { return r == ',' || r == ' ' })
}

// NodeRef names a node of an iCIMS list, by id (preferred: labels may be
// renamed) or by its visible value.
type NodeRef struct {
	ID    string `yaml:"id" json:"id,omitempty"`
	Value string `yaml:"value" json:"value,omitempty"`
}

// IsZero reports whether neither id nor value is set.
func (n NodeRef) IsZero() bool { return n == NodeRef{} }

// Limits bound the calls that may be made for one customer, by all processes
// together.
type Limits = quota.Limits

// FieldNames are the names under which a tenant's API knows the two history
// collections. They differ between tenants.
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

// MissingFolderCandidate takes people for candidates whose folder iCIMS does not show.
const MissingFolderCandidate = "candidate"

// Connection defaults: iCIMS's stock nodes where they are public, the sheet's
// working names where a tenant's own are not known, and the limits of the
// standard licence.
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

// DefaultLimits are the limits of a connection that gives none.
func DefaultLimits() Limits {
	return Limits{
		CallsPerSecond: DefaultCallsPerSecond, Burst: DefaultBurst, InFlight: DefaultInFlight,
		CallsPerDay: DefaultCallsPerDay, ExpressReserve: DefaultExpressReserve, DayAssumed: true,
	}
}

// WithDefaults returns the connection with every empty setting that has a
// default filled in.
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

// Secret is a string that refuses to be printed.
type Secret string

const redacted = "[redacted]"

// String hides the secret from %v.
func (Secret) String() string { return redacted }

// GoString hides the secret from %#v.
func (Secret) GoString() string { return redacted }
