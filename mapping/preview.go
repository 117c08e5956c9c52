package mapping

import (
	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks/input"
)

// Preview returns what the export of a candidate would send if the candidate were new in iCIMS: the
// body that creates the person and, for a job, the body that creates the workflow, without the
// person's ID. For an existing candidate less is sent. Preview makes no calls.
func Preview(c input.Candidate, conn store.Connection, job int64, dummyDomain string) (person, workflow map[string]any, _ []Warning) {
	conn = conn.WithDefaults()
	if c.Email == "" {
		c.Email = input.DummyEmail(0, dummyDomain)
	}
	fields, ws := Person(c, conn)
	if job != 0 {
		workflow = Workflow(0, icims.JobID(job), conn, conn.Status)
		delete(workflow, fieldAssociated)
	}
	return fields, workflow, ws
}
