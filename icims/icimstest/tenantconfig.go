package icimstest

import (
	"errors"
	"fmt"
	"time"
)

// TenantConfig describes one customer of iCIMS. Only Customer, Username and Password have no
// default.
type TenantConfig struct {
	Customer     string `yaml:"customer" json:"customer"`
	Username     string `yaml:"username" json:"username"`
	Password     string `yaml:"password" json:"password"`
	HMACKey      string `yaml:"hmac_key" json:"hmac_key,omitempty"`
	ClientID     string `yaml:"client_id" json:"client_id,omitempty"`
	ClientSecret string `yaml:"client_secret" json:"client_secret,omitempty"`
	// Name is the customer's name in GET /customers/{customer}.
	Name string `yaml:"name" json:"name,omitempty"`
	// DailyLimit is the number of calls per day; default 10,000.
	DailyLimit int `yaml:"daily_limit" json:"daily_limit,omitempty"`
	// DayStart is the start of a day, after midnight UTC. DayLength is its length, by default 24
	// hours.
	DayStart  time.Duration `yaml:"day_start" json:"day_start,omitempty"`
	DayLength time.Duration `yaml:"day_length" json:"day_length,omitempty"`
	// SecondSpender is another system that uses the same budget.
	SecondSpender SecondSpender `yaml:"second_spender" json:"second_spender,omitzero"`
	// Limits restrict rate and calls in flight.
	Limits Limits `yaml:"limits" json:"limits,omitzero"`
	// Required are the person fields that must not be empty; default first name, last name and
	// email. An empty, non-nil slice requires nothing.
	Required []string `yaml:"required" json:"required,omitempty"`
	// PhoneTypes are the labels of lists.phone_type.
	PhoneTypes []string `yaml:"phone_types" json:"phone_types,omitempty"`
	// Sources are the entries of lists.sources. Other texts are stored too, but accept no
	// sourcename.
	Sources []string `yaml:"sources" json:"sources,omitempty"`
	// Statuses are the recruiting workflow statuses, bin by bin.
	Statuses []Status `yaml:"statuses" json:"statuses,omitempty"`
	// Folders are person folders in addition to the standard ones.
	Folders []Node `yaml:"folders" json:"folders,omitempty"`
	// LinkedInField is a custom URL field such as field51001; empty: none.
	LinkedInField string `yaml:"linkedin_field" json:"linkedin_field,omitempty"`
	// CustomFields are additional person fields by name: text, url, number, date, list or
	// multilist.
	CustomFields map[string]string `yaml:"custom_fields" json:"custom_fields,omitempty"`
	// HiddenFields are fields the account may neither see nor set.
	HiddenFields []string `yaml:"hidden_fields" json:"hidden_fields,omitempty"`
	// UnstoredFields are fields that the account may set without an error, but whose value does not
	// change: "education" of a person, "applicantworkflow.source" of a workflow.
	UnstoredFields []string `yaml:"unstored_fields" json:"unstored_fields,omitempty"`
	// HiddenEntries are list entries by list name (lists.school) that exist but are hidden, so that
	// a growing list refuses them.
	HiddenEntries map[string][]string `yaml:"hidden_entries" json:"hidden_entries,omitempty"`
	// WorkExperience and Education are the tenant's names for the two history collections.
	WorkExperience WorkExperienceNames `yaml:"work_experience" json:"work_experience"`
	Education      EducationNames      `yaml:"education" json:"education"`
	// DeniedRoutes are routes (see Routes) the account has no right to.
	DeniedRoutes []string `yaml:"denied_routes" json:"denied_routes,omitempty"`
	// Behaviour overrides the simulator's switches for this tenant.
	Behavior *Behavior `yaml:"behaviour" json:"behaviour,omitempty"`

	Portals []Portal         `yaml:"portals" json:"portals,omitempty"`
	Jobs    []Job            `yaml:"jobs" json:"jobs,omitempty"`
	People  []map[string]any `yaml:"people" json:"people,omitempty"`
}

// Node is an entry of an iCIMS list. A D ID is the same in every tenant; a C ID belongs to one
// tenant.
type Node struct {
	ID    string `yaml:"id" json:"id"`
	Value string `yaml:"value" json:"value"`
}

// Status is a recruiting workflow status within its bin.
type Status struct {
	ID    string `yaml:"id" json:"id"`
	Bin   string `yaml:"bin" json:"bin"`
	Value string `yaml:"value" json:"value"`
	// Guarded statuses have entrance criteria that an API user never meets.
	Guarded bool `yaml:"guarded" json:"guarded,omitempty"`
}

// label returns the status as iCIMS shows it, with its bin.
func (s Status) label() string {
	if s.Bin == "" {
		return s.Value
	}
	return s.Bin + " - " + s.Value
}

// Portal is a job portal, addressed by ID or by name.
type Portal struct {
	ID   int    `yaml:"id" json:"id"`
	Name string `yaml:"name" json:"name"`
}

// Job is a requisition. Updated defaults to the time it was added.
type Job struct {
	ID       int64     `yaml:"id" json:"id"`
	Title    string    `yaml:"title" json:"title"`
	Portals  []int     `yaml:"portals" json:"portals,omitempty"`
	Number   string    `yaml:"number" json:"number,omitempty"`
	Folder   string    `yaml:"folder" json:"folder,omitempty"`
	Location string    `yaml:"location" json:"location,omitempty"`
	Openings int       `yaml:"openings" json:"openings,omitempty"`
	Updated  time.Time `yaml:"updated" json:"updated,omitzero"`
	// Category is a list entry, as in the recordings.
	Category Node `yaml:"category" json:"category,omitzero"`
}

// WorkExperienceNames are the API names of the collection of positions.
type WorkExperienceNames struct {
	Collection string `yaml:"collection" json:"collection,omitempty"`
	Employer   string `yaml:"employer" json:"employer,omitempty"`
	Title      string `yaml:"title" json:"title,omitempty"`
	Start      string `yaml:"start" json:"start,omitempty"`
	End        string `yaml:"end" json:"end,omitempty"`
}

// EducationNames are the API names of the collection of schools.
type EducationNames struct {
	Collection string `yaml:"collection" json:"collection,omitempty"`
	School     string `yaml:"school" json:"school,omitempty"`
	Degree     string `yaml:"degree" json:"degree,omitempty"`
	Major      string `yaml:"major" json:"major,omitempty"`
}

// check refuses settings without an effect.
func (c TenantConfig) check() error {
	for _, name := range c.DeniedRoutes {
		if !routeNames[name] {
			return fmt.Errorf("denied_routes: unknown route %q", name)
		}
	}
	if c.DayLength < 0 || c.DayStart < 0 {
		return errors.New("day_length and day_start must not be negative")
	}
	if err := errors.Join(c.Limits.check(), c.SecondSpender.check()); err != nil {
		return err
	}
	if c.Behavior != nil {
		return c.Behavior.check()
	}
	return nil
}

func (c TenantConfig) withDefaults() TenantConfig {
	fill(&c.Name, "Customer "+c.Customer)
	fill(&c.DailyLimit, 10_000)
	fill(&c.DayLength, 24*time.Hour)
	if c.Required == nil {
		c.Required = []string{"firstname", "lastname", "email"}
	}
	if c.PhoneTypes == nil {
		c.PhoneTypes = []string{"Work", "Home", "Mobile", "Pager"}
	}
	if c.Sources == nil {
		c.Sources = []string{"Corporate Website", "Employee Referral", "Job Board", "Other (Please Specify)"}
	}
	if c.Statuses == nil {
		c.Statuses = DefaultStatuses()
	}
	w := &c.WorkExperience
	fill(&w.Collection, "workexperience")
	fill(&w.Employer, "workemployer")
	fill(&w.Title, "worktitle")
	fill(&w.Start, "workstartdate")
	fill(&w.End, "workenddate")
	e := &c.Education
	fill(&e.Collection, "education")
	fill(&e.School, "school")
	fill(&e.Degree, "degree")
	fill(&e.Major, "major")
	return c
}

// DefaultStatuses are two bins of stock statuses. Only the IDs of External Portal and Self-Withdrew
// were public; the others follow their pattern.
func DefaultStatuses() []Status {
	const submissions, evaluation, rejected = "New Submissions", "Evaluation", "Rejected"
	return []Status{
		{ID: "D10100", Bin: submissions, Value: "External Portal"},
		{ID: "D10101", Bin: submissions, Value: "Internal Portal"},
		{ID: "D10102", Bin: submissions, Value: "Agency Submissions"},
		{ID: "D10103", Bin: submissions, Value: "Employee Referral"},
		{ID: "D10105", Bin: submissions, Value: "Incomplete"},
		{ID: "D10106", Bin: submissions, Value: "Recruiter Submitted"},
		{ID: "D10120", Bin: evaluation, Value: "Recruiter Review"},
		{ID: "C36951", Bin: evaluation, Value: "Hiring Manager Review"},
		{ID: "D10108", Bin: rejected, Value: "Self-Withdrew"},
		{ID: "C14661", Bin: rejected, Value: "Offer Declined", Guarded: true},
	}
}

// DemoTenant returns a tenant for demos: two portals that share jobs, a LinkedIn field and
// "SeekOut" among its sources.
func DemoTenant(customer, username, password string) TenantConfig {
	titles := []string{
		"Data Engineer", "Staff Software Engineer", "Product Designer", "Site Reliability Engineer", "Customer Service Representative",
		"Registered Nurse", "Supply Chain Analyst", "Account Executive", "Technical Recruiter", "Machine Learning Engineer",
		"Financial Controller", "Embedded Firmware Developer",
	}
	c := TenantConfig{
		Customer: customer, Username: username, Password: password,
		Name:          "Demo " + customer,
		LinkedInField: "field51001",
		Sources:       []string{"Corporate Website", "Employee Referral", "Job Board", "Other (Please Specify)", "SeekOut"},
		Portals:       []Portal{{ID: 1, Name: "jobs"}, {ID: 2, Name: "internal"}},
	}
	for i, title := range titles {
		job := Job{ID: int64(1701 + i), Title: title, Portals: []int{1}, Number: fmt.Sprintf("2026-%d", 1701+i), Location: "HQ - 1 Example Street Boston, Massachusetts 02110 United States", Openings: 1 + i%3}
		if i%4 == 3 {
			job.Portals = []int{1, 2}
		}
		c.Jobs = append(c.Jobs, job)
	}
	return c
}
