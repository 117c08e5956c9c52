package mapping

import (
	"encoding/json"
	"testing"

	"github.com/seekout/icims-export/icims"
)

func TestMissingEntries(t *testing.T) {
	position := func(title, start string) icims.Fields {
		return icims.Fields{"employer": "Google", "jobtitle": title, "workstartdate": start}
	}
	for name, c := range map[string]struct {
		wanted  []icims.Fields
		stored  string
		missing []string // titles and dates
		foreign bool
	}{
		"nothing is stored":               {[]icims.Fields{position("Engineer", "2019-01-01")}, `[]`, []string{"Engineer 2019-01-01"}, false},
		"all is stored":                   {[]icims.Fields{position("Engineer", "2019-01-01")}, `[{"employer":"GOOGLE","jobtitle":"Engineer","workstartdate":"2019-01-01"}]`, nil, false},
		"a text that begins like another": {[]icims.Fields{position("Engineer II", "2021-01-01"), position("Engineer", "2019-01-01")}, `[{"employer":"Google","jobtitle":"Engineer","workstartdate":"2019-01-01"}]`, []string{"Engineer II 2021-01-01"}, false},
		"the same position twice":         {[]icims.Fields{position("Engineer", "2021-01-01"), position("Engineer", "2019-01-01")}, `[{"employer":"Google","jobtitle":"Engineer","workstartdate":"2019-01-01"}]`, []string{"Engineer 2021-01-01"}, false},
		"a text that was cut":             {[]icims.Fields{position("Engineer of everything", "2019-01-01")}, `[{"employer":"Google","jobtitle":"Engineer of"}]`, nil, false},
		"a date in another format":        {[]icims.Fields{position("Engineer", "2019-01-01")}, `[{"employer":"Google","jobtitle":"Engineer","workstartdate":"1/1/2019"}]`, nil, false},
		"an entry of somebody else":       {[]icims.Fields{position("Engineer", "2019-01-01")}, `[{"employer":"Acme","jobtitle":"Cook"}]`, []string{"Engineer 2019-01-01"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			var stored []map[string]json.RawMessage
			if err := json.Unmarshal([]byte(c.stored), &stored); err != nil {
				t.Fatal(err)
			}
			missing, foreign := Missing(c.wanted, stored)
			if len(missing) != len(c.missing) || foreign != c.foreign {
				t.Fatalf("missing %v, foreign %t", missing, foreign)
			}
			for i, m := range missing {
				if got := m["jobtitle"].(string) + " " + m["workstartdate"].(string); got != c.missing[i] {
					t.Errorf("missing %s, want %s", got, c.missing[i])
				}
			}
		})
	}
}
