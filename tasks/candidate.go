// Package tasks is what producers import: the candidate as they hand it over,
// the batch they hand it over in, and the client that accepts a batch.
package tasks

// Candidate is one sourced person as an upstream service hands it over. All
// text is UTF-8 and is sent to iCIMS as given, apart from the cuts that
// docs/mapping.md lists.
type Candidate struct {
	// ID is the producer's own identifier. It names the candidate in
	// receipts, logs and markers, so it must not itself be personal data.
	ID             string           `json:"id"`
	FirstName      string           `json:"first_name"`
	LastName       string           `json:"last_name"`
	Email          string           `json:"email,omitempty"`
	Phones         []Phone          `json:"phones,omitempty"`
	LinkedInURL    string           `json:"linkedin_url,omitempty"`
	WorkExperience []WorkExperience `json:"work_experience,omitempty"`
	Education      []Education      `json:"education,omitempty"`

	// origin is where a reader found the candidate; zero for candidates that
	// were built in memory.
	origin origin
}

// Phone is one telephone number. Type is a label such as "mobile", "home" or
// "work"; empty means unknown.
type Phone struct {
	Number string `json:"number"`
	Type   string `json:"type,omitempty"`
}

// WorkExperience is one position. Start and End are partial dates ("2021",
// "2021-03" or "2021-03-15"); an empty End means the current position.
type WorkExperience struct {
	Employer string `json:"employer,omitempty"`
	Title    string `json:"title,omitempty"`
	Start    string `json:"start,omitempty"`
	End      string `json:"end,omitempty"`
}

// Education is one school attended.
type Education struct {
	School string `json:"school,omitempty"`
	Degree string `json:"degree,omitempty"`
}

// origin is the place of a candidate in the input it was read from.
type origin struct {
	line     int
	warnings []Problem
}

// Line is the line of the input on which a reader found the candidate, counted
// from 1; 0 for candidates that were built in memory.
func (c Candidate) Line() int { return c.origin.line }

// Warnings are what a reader noticed without refusing the row, such as unknown
// fields. What concerns a CSV header is reported with the first candidate.
func (c Candidate) Warnings() []Problem { return c.origin.warnings }

// digested is what a row is compared by when its batch is sent again: the candidate as it
// was given, before a dummy address is chosen. It stays the same from release to release.
func (c Candidate) digested() []byte { return Payload{Candidate: c}.Encode() }
