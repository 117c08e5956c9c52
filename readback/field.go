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

// moves reports whether recruiters change the field as part of their work. A different value is
// then no sign of a failed export.
func (f Field) moves() bool { return f == Folder || f == Status }

// ofWorkflow reports whether the field belongs to a workflow.
func (f Field) ofWorkflow() bool { return f == Status || f == WorkflowSource }

// name returns the field's iCIMS name with a connection, or "" if it has none.
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

// Digests are the stored digests of what an export sent: per field one keyed digest for each value,
// and for a collection one for each entry.
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

// parseDigests decodes what String wrote. It skips unknown fields, which a newer version wrote.
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
