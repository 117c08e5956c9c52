package mapping

import (
	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks"
)

// Preview is what the export of a candidate would send, were the candidate new
// in iCIMS: the body that creates the person and, for a job, the one that
// creates the workflow, which lacks only the person's id. A candidate who is
// there already gets less. Nothing is sent.
func Preview(c tasks.Candidate, conn store.Connection, job int64, dummyDomain string) (person, workflow map[string]any, _ []Warning) {
	conn = conn.WithDefaults()
	if c.Email == "" {
		c.Email = tasks.DummyEmail(0, dummyDomain)
	}
	fields, ws := Person(c, conn)
	if job != 0 {
		workflow = Workflow(0, icims.JobID(job), conn, conn.Status)
		delete(workflow, fieldAssociated)
	}
	return fields, workflow, ws
}
