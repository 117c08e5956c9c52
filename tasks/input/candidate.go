package input

// Candidate is one sourced person as an upstream service submits it. All text is UTF-8 and is sent
// to iCIMS as given, except for the cuts listed in docs/mapping.md.
type Candidate struct {
	// ID is the producer's own identifier. It appears in receipts, logs and markers, so it must not
	// be personal data.
	ID             string           `json:"id"`
	FirstName      string           `json:"first_name"`
	LastName       string           `json:"last_name"`
	Email          string           `json:"email,omitempty"`
	Phones         []Phone          `json:"phones,omitempty"`
	LinkedInURL    string           `json:"linkedin_url,omitempty"`
	WorkExperience []WorkExperience `json:"work_experience,omitempty"`
	Education      []Education      `json:"education,omitempty"`

	// origin is where a reader found the candidate; zero for candidates built in memory.
	origin origin
}

// Phone is a telephone number. Type is a label such as "mobile", "home" or "work"; empty if
// unknown.
type Phone struct {
	Number string `json:"number"`
	Type   string `json:"type,omitempty"`
}

// WorkExperience is one position. Start and End are partial dates ("2021", "2021-03" or
// "2021-03-15"); an empty End means the current position.
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

// origin is the position of a candidate in its input.
type origin struct {
	line     int
	warnings []Problem
}

// Line returns the 1-based line of the input on which a reader found the candidate; 0 for
// candidates built in memory.
func (c Candidate) Line() int { return c.origin.line }

// Warnings returns what a reader noticed without refusing the row, such as unknown fields. Warnings
// about a CSV header are reported with the first candidate.
func (c Candidate) Warnings() []Problem { return c.origin.warnings }
