package mapping

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks/input"
)

func TestPreview(t *testing.T) {
	conn := store.Connection{Customer: "1234", LinkedInField: "field51001"}.WithDefaults()
	c := input.Candidate{
		ID: "c-1", FirstName: "Ana", LastName: "Duarte", Email: "ana@example.com",
		Phones: []input.Phone{{Number: "+1 425 555 0143", Type: "pager"}}, LinkedInURL: "https://www.linkedin.com/in/example",
	}
	t.Run("it is what the pipeline sends", func(t *testing.T) {
		person, workflow, warnings := Preview(c, conn, 1709, "")
		want, wantWarnings := Person(c, conn)
		if diff := cmp.Diff(map[string]any(want), person); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(wantWarnings, warnings); diff != "" || len(warnings) != 1 {
			t.Errorf("warnings %v", warnings)
		}
		wantFlow := Workflow(90001, 1709, conn, conn.Status)
		delete(wantFlow, fieldAssociated)
		if diff := cmp.Diff(map[string]any(wantFlow), workflow); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("a prospect has no workflow", func(t *testing.T) {
		if _, workflow, _ := Preview(c, conn, 0, ""); workflow != nil {
			t.Errorf("got %v", workflow)
		}
	})
	t.Run("a candidate without address is shown a dummy of the domain", func(t *testing.T) {
		c.Email = ""
		person, _, _ := Preview(c, conn, 0, "dummies.example.com")
		if addr, _ := person[FieldEmail].(string); !input.IsDummyEmail(addr, "dummies.example.com") {
			t.Errorf("got %v", person[FieldEmail])
		}
	})
}
