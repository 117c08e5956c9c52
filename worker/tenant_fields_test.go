package worker

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seekout/icims-export/icims"
	"github.com/seekout/icims-export/mapping"
	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks/input"
)

func TestDropRefusedKeepsItsInput(t *testing.T) {
	f, _ := mapping.Person(input.Candidate{
		FirstName: "Ana", LastName: "Duarte", Email: "ana@example.com",
		Phones:         []input.Phone{{Number: "+1 425 555 0143", Type: "mobile"}},
		WorkExperience: []input.WorkExperience{{Employer: "Contoso", Title: "Engineer", Start: "2021"}},
		Education:      []input.Education{{School: "University of Porto", Degree: "MSc"}},
	}, store.Connection{})
	asJSON := func(f icims.Fields) map[string]any {
		text, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		var out map[string]any
		if err := json.Unmarshal(text, &out); err != nil {
			t.Fatal(err)
		}
		return out
	}
	before := asJSON(f)

	r := request{fields: f}
	newTenant(store.Connection{}, 0).dropRefused(&r, &icims.Error{Reason: icims.ReasonFieldRefused, Problems: []icims.Problem{{Code: 4, Field: "phones.phonetype"}}})
	bare := r.fields
	if diff := cmp.Diff([]icims.Fields{{"phonenumber": "+1 425 555 0143"}}, bare["phones"]); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if diff := cmp.Diff(before, asJSON(bare), cmpopts.IgnoreMapEntries(func(k string, _ any) bool { return k == "phonetype" })); diff != "" {
		t.Errorf("more than phone types were removed\n%s", diff)
	}
	less := without(f, "workexperience", "education", "unheard")
	if len(less) != len(f)-2 || less["workexperience"] != nil || less["education"] != nil {
		t.Errorf("got %v", less)
	}
	if diff := cmp.Diff(before, asJSON(f)); diff != "" {
		t.Errorf("the input was changed\n%s", diff)
	}
}
