package readback

import (
	"cmp"
	"encoding/json"
	"fmt"
	"time"

	"github.com/seekout/icims-export/store"
)

// Args are the arguments of a read-back. The sample is drawn when it is requested, so that the
// number of calls is known beforehand.
type Args struct {
	Records []store.SentRecord `json:"records"`
}

// Calls returns the maximum number of iCIMS calls for records: one per person, one per workflow.
func Calls(records []store.SentRecord) int {
	n := len(records)
	for _, r := range records {
		if r.Workflow != 0 {
			n++
		}
	}
	return n
}

// Result is the result of a read-back.
type Result string

// The results.
const (
	ResultRunning    Result = "running"
	ResultComplete   Result = "complete"
	ResultIncomplete Result = "incomplete" // calls could not be completed: see Stopped
)

// Findings are the findings of a read-back, so far.
type Findings struct {
	Result    Result       `json:"result" enum:"running,complete,incomplete" doc:"The result. The figures of an incomplete read-back are not stored."`
	People    RecordCount  `json:"people" doc:"The people of the sample."`
	Workflows RecordCount  `json:"workflows" doc:"Their workflows."`
	Fields    []FieldCount `json:"fields" nullable:"false" doc:"The result for each field that exports sent."`
	// PresenceOnly counts people whose exports have no stored digests.
	PresenceOnly int `json:"presence_only" doc:"People whose sent values have expired: only their presence was checked."`
	// Read is how many records were read.
	Read int `json:"read" doc:"People of the sample checked so far."`
	// Stopped is why an incomplete read-back ended; Problem and Remedy say so in words.
	Stopped store.Reason `json:"stopped,omitempty" doc:"The reason code of an incomplete read-back; see docs/errors.md."`
	Problem string       `json:"problem,omitempty" doc:"Why it is incomplete."`
	Remedy  string       `json:"remedy,omitempty" doc:"What to do about it."`
}

// RecordCount counts records of the sample.
type RecordCount struct {
	Found  int     `json:"found" doc:"Records that iCIMS has."`
	Gone   []int64 `json:"gone" nullable:"false" doc:"iCIMS IDs of records that are deleted, merged, or hidden from the account."`
	Unread int     `json:"unread" doc:"Records whose call failed."`
}

func (c *RecordCount) add(s state, id int64) {
	switch s {
	case found:
		c.Found++
	case gone:
		c.Gone = append(c.Gone, id)
	case unread:
		c.Unread++
	}
}

// FieldCount counts the results for one field.
type FieldCount struct {
	Field   Field   `json:"field" doc:"The field." example:"education"`
	Sent    int     `json:"sent" doc:"Exports of the sample that sent the field."`
	Arrived int     `json:"arrived" doc:"Exports whose value is in iCIMS as sent."`
	Changed int     `json:"changed" doc:"Exports whose value differs in iCIMS, or lacks entries: edited later, truncated or replaced."`
	Missing int     `json:"missing" doc:"Exports without a value in iCIMS: not stored, removed later, or hidden from the account."`
	Share   float64 `json:"share" doc:"The share that arrived, from 0 to 1. Recruiters change folder and workflow status, so a different value counts as arrived, unless all exports have the same different value."`
	// Other is a keyed digest of the only other value that iCIMS had of a field that recruiters
	// change; empty for none, "various" for several.
	Other string `json:"other,omitempty" doc:"For folder and workflow status: a keyed digest of the only different value in iCIMS, or various."`
	// Examples are records in which the field did not arrive.
	Examples []int64 `json:"examples,omitempty" doc:"iCIMS IDs of the first people or workflows with a changed or missing value."`
}

// shownExamples is how many examples of a field are kept.
const shownExamples = 3

// various stands for the digests of several values.
const various = "various"

// add counts the result for the field in one record. other is a digest of the value iCIMS has
// instead.
func (c *FieldCount) add(fate FieldResult, other string, id int64) {
	c.Sent++
	switch fate {
	case Arrived:
		c.Arrived++
	case Changed:
		c.Changed++
	case Missing:
		c.Missing++
	}
	if fate != Arrived && len(c.Examples) < shownExamples {
		c.Examples = append(c.Examples, id)
	}
	good := c.Arrived
	if c.Field.moves() {
		if fate == Changed && c.Other != other {
			c.Other = cmp.Or(c.Other, other)
			if c.Other != other {
				c.Other = various
			}
		}
		if !c.ignored() {
			good += c.Changed
		}
	}
	c.Share = float64(good) / float64(c.Sent)
}

// ignored reports whether iCIMS seems to ignore a field that recruiters change: enough exports sent
// it, and all have the same other value.
func (c FieldCount) ignored() bool {
	return c.Field.moves() && c.Sent >= store.ReadBackLeast && c.Changed == c.Sent && c.Other != various
}

// Low reports whether less than half of the values arrived, out of enough exports.
func (c FieldCount) Low() bool { return c.figure().Low() }

func (c FieldCount) figure() store.ReadBackFigure {
	return store.ReadBackFigure{Sent: c.Sent, Arrived: c.Arrived, Changed: c.Changed, Missing: c.Missing, Share: c.Share}
}

// Figures returns the figures of a complete read-back, for storage.
func (r Findings) Figures(at time.Time) store.ReadBack {
	kept := store.ReadBack{At: at.UTC().Truncate(time.Millisecond), Fields: map[string]store.ReadBackFigure{}}
	for _, c := range r.Fields {
		kept.Fields[string(c.Field)] = c.figure()
	}
	return kept
}

// Clean reports whether no record is gone and no field is low.
func (r Findings) Clean() bool {
	for _, c := range r.Fields {
		if c.Low() {
			return false
		}
	}
	return len(r.People.Gone)+len(r.Workflows.Gone) == 0
}

// Stop marks the report as incomplete.
func (r *Findings) Stop(why store.Reason) {
	r.Result, r.Stopped = ResultIncomplete, why
	r.Problem, r.Remedy = why.Info().Title, why.Info().Hint
}

func empty() Findings {
	return Findings{Result: ResultRunning, Fields: []FieldCount{}, People: RecordCount{Gone: []int64{}}, Workflows: RecordCount{Gone: []int64{}}}
}

// Read decodes the report of a control task. It is empty until a worker starts the task.
func Read(e store.ControlTask) (Findings, error) {
	r := empty()
	if len(e.Result) > 0 {
		if err := json.Unmarshal(e.Result, &r); err != nil {
			return Findings{}, fmt.Errorf("the report of read-back %s is not readable", e.ID)
		}
	}
	if e.State.Ended() && r.Result == ResultRunning {
		r.Result = ResultIncomplete
	}
	return r, nil
}

// ReadBack is a read-back's control task as shown to users and programs.
type ReadBack struct {
	store.ControlView

	People   int      `json:"people" doc:"People of the sample."`
	MaxCalls int      `json:"max_calls" doc:"The maximum number of iCIMS calls: one per person, one per workflow."`
	Report   Findings `json:"report" doc:"The findings so far."`
}

// View returns the public view of a read-back's control task.
func View(t store.ControlTask) (ReadBack, error) {
	v := ReadBack{ControlView: t.View()}
	var args Args
	if len(t.Args) > 0 {
		if err := json.Unmarshal(t.Args, &args); err != nil {
			return ReadBack{}, fmt.Errorf("the arguments of read-back %s are not readable", t.ID)
		}
	}
	v.People, v.MaxCalls = len(args.Records), Calls(args.Records)
	var err error
	v.Report, err = Read(t)
	return v, err
}
