package api

import "github.com/seekout/icims-export/store"

// ConnectionSettings are a connection's settings without its password, named as in the connections
// file. A number cannot be set to 0.
type ConnectionSettings struct {
	Auth          string            `json:"auth,omitempty" enum:"basic,hmac,oauth" doc:"Authentication method; basic by default."`
	Username      string            `json:"username,omitempty" maxLength:"1000" doc:"The API user's name; for oauth the client ID."`
	TokenURL      string            `json:"token_url,omitempty" maxLength:"2000" doc:"Token URL for oauth; the region's sign-in host by default."`
	Capabilities  string            `json:"capabilities,omitempty" maxLength:"1000" doc:"Uses of the connection, comma-separated; export by default."`
	PortalURLs    string            `json:"portal_urls,omitempty" maxLength:"20000" doc:"One or more job portal URLs, comma-separated, as shown in iCIMS."`
	Source        string            `json:"source,omitempty" maxLength:"1000" doc:"The source of people and workflows."`
	Status        *NodeSetting      `json:"status,omitempty" doc:"The status of workflows."`
	Folder        *NodeSetting      `json:"folder,omitempty" doc:"The folder of new people."`
	MissingFolder string            `json:"missing_folder,omitempty" maxLength:"20" doc:"Set to candidate to update people whose folder iCIMS does not show. By default, they are not updated, since they may be employees." example:"candidate"`
	LinkedInField string            `json:"linkedin_field,omitempty" maxLength:"100" doc:"The tenant's custom field for the profile URL. If omitted, URLs are not exported." example:"field51001"`
	DummyDomain   string            `json:"dummy_email_domain,omitempty" maxLength:"300" doc:"Domain of this customer's dummy email addresses."`
	Limits        *LimitSettings    `json:"limits,omitempty" doc:"Rate limits, shared by all processes."`
	Fields        *FieldNameSetting `json:"fields,omitempty" doc:"The tenant's names for work experience and education."`
}

// NodeSetting names a node of an iCIMS list by ID or by displayed value.
type NodeSetting struct {
	ID    string `json:"id,omitempty" maxLength:"1000" doc:"The node's ID. Preferred, since labels can be renamed." example:"D10106"`
	Value string `json:"value,omitempty" maxLength:"1000" doc:"The node's label."`
}

// LimitSettings are the limits of a connection.
type LimitSettings struct {
	CallsPerSecond float64 `json:"calls_per_second,omitempty" exclusiveMinimum:"0" maximum:"1000000" doc:"Average calls per second." example:"5"`
	Burst          int     `json:"burst,omitempty" minimum:"1" maximum:"1000000" doc:"Burst: calls allowed at once above the average rate." example:"10"`
	InFlight       int     `json:"in_flight,omitempty" minimum:"1" maximum:"100000" doc:"Concurrent calls." example:"4"`
	CallsPerDay    int     `json:"calls_per_day,omitempty" minimum:"1" maximum:"1000000000" doc:"Calls per day (UTC)." example:"10000"`
	ExpressReserve int     `json:"express_reserve,omitempty" minimum:"1" maximum:"90" doc:"Percentage of the daily calls that is reserved for small batches." example:"5"`
}

// FieldNameSetting are the names of two collections in a tenant's API.
type FieldNameSetting struct {
	WorkExperience *WorkExperienceSetting `json:"work_experience,omitempty" doc:"The collection of positions."`
	Education      *EducationSetting      `json:"education,omitempty" doc:"The collection of schools."`
}

// WorkExperienceSetting names the collection of positions and its children.
type WorkExperienceSetting struct {
	Collection string `json:"collection,omitempty" maxLength:"100" example:"workexperience"`
	Employer   string `json:"employer,omitempty" maxLength:"100" example:"workemployer"`
	Title      string `json:"title,omitempty" maxLength:"100" example:"worktitle"`
	Start      string `json:"start,omitempty" maxLength:"100" example:"workstartdate"`
	End        string `json:"end,omitempty" maxLength:"100" example:"workenddate"`
}

// EducationSetting names the collection of schools and its children.
type EducationSetting struct {
	Collection string `json:"collection,omitempty" maxLength:"100" example:"education"`
	School     string `json:"school,omitempty" maxLength:"100" example:"school"`
	Degree     string `json:"degree,omitempty" maxLength:"100" example:"degree"`
}

// settingsOf returns the settings of a connection.
func settingsOf(c store.Connection) ConnectionSettings {
	return ConnectionSettings{
		Auth: string(c.Auth), Username: c.Username, TokenURL: c.TokenURL, Capabilities: string(c.Capabilities), PortalURLs: c.PortalURLs,
		Source: c.Source, Status: given(NodeSetting(c.Status)), Folder: given(NodeSetting(c.Folder)), MissingFolder: c.MissingFolder, LinkedInField: c.LinkedInField, DummyDomain: c.DummyDomain,
		Limits: given(LimitSettings{
			CallsPerSecond: c.Limits.CallsPerSecond, Burst: c.Limits.Burst, InFlight: c.Limits.InFlight,
			CallsPerDay: c.Limits.CallsPerDay, ExpressReserve: c.Limits.ExpressReserve,
		}),
		Fields: given(FieldNameSetting{given(WorkExperienceSetting(c.Fields.WorkExperience)), given(EducationSetting(c.Fields.Education))}),
	}
}

// connection returns the connection with these settings.
func (s ConnectionSettings) connection(customer string) store.Connection {
	c := store.Connection{
		Customer: customer, Auth: store.AuthKind(s.Auth), Username: s.Username, TokenURL: s.TokenURL, Capabilities: store.Capabilities(s.Capabilities),
		PortalURLs: s.PortalURLs, Source: s.Source, Status: store.NodeRef(value(s.Status)), Folder: store.NodeRef(value(s.Folder)),
		MissingFolder: s.MissingFolder, LinkedInField: s.LinkedInField, DummyDomain: s.DummyDomain,
	}
	l, f := value(s.Limits), value(s.Fields)
	c.Limits = store.Limits{CallsPerSecond: l.CallsPerSecond, Burst: l.Burst, InFlight: l.InFlight, CallsPerDay: l.CallsPerDay, ExpressReserve: l.ExpressReserve}
	c.Fields = store.FieldNames{WorkExperience: store.WorkExperienceFields(value(f.WorkExperience)), Education: store.EducationFields(value(f.Education))}
	return c
}

// given returns a group of settings, or nil if none of them is set.
func given[T comparable](group T) *T {
	var none T
	if group == none {
		return nil
	}
	return &group
}

func value[T any](p *T) T {
	var none T
	if p == nil {
		return none
	}
	return *p
}
