package readback

import (
	"slices"
	"strings"

	"github.com/seekout/icims-export/store"
)

// Field is a part of a candidate that an export sends.
type Field string

// The fields.
const (
	FirstName      Field = "first_name"
	LastName       Field = "last_name"
	Email          Field = "email"
	Folder         Field = "folder"
	Source         Field = "source"
	LinkedIn       Field = "linkedin"
	Phones         Field = "phones"
	WorkExperience Field = "work_experience"
	Education      Field = "education"
	Status         Field = "workflow_status"
	WorkflowSource Field = "workflow_source"
)

// Fields lists all fields, those of a person first.
func Fields() []Field {
	return []Field{FirstName, LastName, Email, Folder, Source, LinkedIn, Phones, WorkExperience, Education, Status, WorkflowSource}
}

// moves reports whether recruiters change the field as part of their work, so that
// another value does not speak against the export.
func (f Field) moves() bool { return f == Folder || f == Status }

// ofWorkflow reports whether it is a field of a workflow.
func (f Field) ofWorkflow() bool { return f == Status || f == WorkflowSource }

// name is the field's name in iCIMS with a connection, or "" where it has none.
func (f Field) name(conn store.Connection) string {
	switch f {
	case FirstName, LastName, WorkExperience, Education, LinkedIn:
	case WorkflowSource:
		return "source"
	case Status:
		return "status"
	default:
		return string(f)
	}
	switch f {
	case WorkExperience:
		return conn.Fields.WorkExperience.Collection
	case Education:
		return conn.Fields.Education.Collection
	case LinkedIn:
		return conn.LinkedInField
	default:
		return strings.ReplaceAll(string(f), "_", "")
	}
}

// Digests are what is kept of what an export sent: for each field a keyed digest of each
// value, one for each entry of a collection.
type Digests map[Field][]string

// String encodes digests for the ledger: "first_name=k2c4d6q,phones=a.b".
func (d Digests) String() string {
	var parts []string
	for _, f := range Fields() {
		if len(d[f]) > 0 {
			parts = append(parts, string(f)+"="+strings.Join(d[f], "."))
		}
	}
	return strings.Join(parts, ",")
}

// parseDigests reads what String has written. What it does not know is left out: a newer
// version wrote it.
func parseDigests(text string) Digests {
	d := Digests{}
	for part := range strings.SplitSeq(text, ",") {
		name, list, ok := strings.Cut(part, "=")
		if ok && list != "" && slices.Contains(Fields(), Field(name)) {
			d[Field(name)] = strings.Split(list, ".")
		}
	}
	return d
}
