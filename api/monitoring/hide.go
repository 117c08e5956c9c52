package monitoring

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"sync"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/tasks/input"
	"github.com/seekout/icims-export/worker/control"
	"github.com/seekout/icims-export/worker/intake"
)

// hidden replaces a name that is not from icims-export.
const hidden = "(not shown)"

var (
	isQueue = regexp.MustCompile(`\A` + queueName + `\z`)
	isTask  = regexp.MustCompile(`\A(?:` + taskName + `)\z`)
	isType  = regexp.MustCompile(`\Aicims:[a-z]{1,20}\z`)
)

// reference lists the fields of icims-export's task payloads. None are personal.
type reference struct {
	Customer   string `json:"customer"`
	Kind       string `json:"kind,omitempty"` // of a control task
	Batch      string `json:"batch,omitempty"`
	Row        int    `json:"row,omitempty"`
	Candidate  string `json:"candidate,omitempty"`
	Export     string `json:"export,omitempty"`
	Generation int    `json:"generation,omitempty"` // written by earlier versions
}

var (
	isExport    = regexp.MustCompile(`\A[a-z2-7]{16}\z`)
	isKind      = regexp.MustCompile(`\A[a-z_]{1,20}\z`)
	isCandidate = regexp.MustCompile(`\A[A-Za-z0-9][A-Za-z0-9._:~-]{0,127}\z`) // as input.Candidate checks it
)

// formatPayload shows a payload that is a reference, and only the length of any other.
func formatPayload(kind string, payload []byte) string {
	decoder := json.NewDecoder(bytes.NewReader(payload))
	decoder.DisallowUnknownFields()
	var r reference
	if !isType.MatchString(kind) || decoder.Decode(&r) != nil || decoder.More() || !input.ValidCustomer(r.Customer) {
		return sizeOf(payload)
	}
	_, err := store.ParseBatchID(r.Batch)
	for _, ok := range []bool{
		r.Kind == "" || isKind.MatchString(r.Kind), r.Batch == "" || err == nil,
		r.Candidate == "" || isCandidate.MatchString(r.Candidate), r.Export == "" || isExport.MatchString(r.Export),
	} {
		if !ok {
			return sizeOf(payload)
		}
	}
	text, err := json.Marshal(r) // encoded again, since a name may occur twice
	if err != nil {
		return sizeOf(payload)
	}
	return string(text)
}

// formatResult shows a result written by icims-export, and only the length of any other.
func formatResult(_ string, result []byte) string {
	if len(result) == 0 || isOurText(string(result)) {
		return string(result)
	}
	return sizeOf(result)
}

func sizeOf(data []byte) string { return fmt.Sprintf("(%d bytes, not shown)", len(data)) }

// formatError shows a task's last error if icims-export wrote it. Other texts may contain anything,
// such as addresses.
func formatError(text string) string {
	if isOurText(text) || intake.Shown(text) {
		return text
	}
	return "error text hidden; see the worker's log"
}

// phrases are the words of icims-export's task errors and results, besides reasons, what control
// tasks wait for, and numbers.
const phrases = `
	waiting: next attempt at on UTC. no answer to; checking. iCIMS answered to (attempt). dead letter.
	search people, read person, create person, update person, add to person, search workflows, read workflow, create workflow, update workflow, read job, a write.
	people.get people.patch people.collection.add workflows.search workflows.get workflows.pair workflows.create workflows.patch jobs.get
	created updated person, workflow. skipped: exported on as person. nothing to do: the export has ended. ended before.
	the outcome could not be recorded. the payload does not reference an export or a control task. the task ID does not match the payload.
	done, calls to iCIMS. failed. unexpected fault of this service; the log has its stack.
	comes back in. asynq: task lease expired. context deadline exceeded. context canceled. skip retry for the task.`

var word = regexp.MustCompile(`[\p{L}\p{M}_'’]+`)

// ourWords are all words of icims-export's task errors and results.
var ourWords = sync.OnceValue(func() map[string]bool {
	words := map[string]bool{}
	add := func(text string) {
		for _, w := range word.FindAllString(strings.ToLower(text), -1) {
			words[w] = true
		}
	}
	add(phrases)
	for _, text := range control.Waits() {
		add(text)
	}
	for _, f := range []store.ControlFailure{
		store.ControlNoConnection, store.ControlSealed, store.ControlUnusable, store.ControlChanged, store.ControlExpired, store.ControlGaveUp, store.ControlInternal,
	} {
		add(f.Info().Title)
	}
	for _, r := range store.Reasons() {
		info := r.Info()
		add(string(r) + " " + info.Title + " " + info.Hint)
	}
	for _, unit := range []string{"h", "m", "s", "ms"} {
		words[unit] = true
	}
	return words
})

var (
	idOfICIMS = regexp.MustCompile(`\b(?:person|workflow) [0-9]{1,18}\b`)
	// contact matches phone numbers and email addresses.
	contact = regexp.MustCompile(`[0-9][ .()/+-]+[0-9]{3}|[0-9]{7}|[@+]`)
)

// isOurText reports whether a text consists of known words and short numbers. Personal names are
// not among the words.
func isOurText(text string) bool {
	text = idOfICIMS.ReplaceAllString(text, "person")
	if contact.MatchString(text) {
		return false
	}
	for _, w := range word.FindAllString(strings.ToLower(text), -1) {
		if !ourWords()[w] {
			return false
		}
	}
	return true
}

// shown are the fields of asynqmon's responses that may contain foreign text, besides those that
// the formatters handle.
var shown = map[string]func(string) string{
	"queue": only(isQueue), "id": only(isTask), "task_id": only(isTask), "type": only(isType), "task_type": only(isType), "error_message": formatError,
}

func only(pattern *regexp.Regexp) func(string) string {
	return func(text string) string {
		if pattern.MatchString(text) {
			return text
		}
		return hidden
	}
}

// hide returns a response of asynqmon with foreign text removed.
func hide(answer []byte) ([]byte, error) {
	decoder := json.NewDecoder(bytes.NewReader(answer))
	decoder.UseNumber()
	var v any
	if err := decoder.Decode(&v); err != nil {
		return nil, fmt.Errorf("answer of the web UI: %w", err)
	}
	return json.Marshal(hideIn("", v))
}

// hideIn removes foreign text from the value of a field.
func hideIn(name string, v any) any {
	switch v := v.(type) {
	case string:
		if show := shown[name]; show != nil {
			return show(v)
		}
	case []any:
		kept := make([]any, 0, len(v))
		for _, one := range v {
			if name != "servers" || servesOurs(one) {
				kept = append(kept, hideIn(name, one))
			}
		}
		return kept
	case map[string]any:
		for key, one := range v {
			v[key] = hideIn(key, one)
		}
	}
	return v
}

// servesOurs reports whether a server serves icims-export's queues and no others.
func servesOurs(server any) bool {
	object, _ := server.(map[string]any)
	queues, _ := object["queue_priorities"].(map[string]any)
	for name := range queues {
		if !isQueue.MatchString(name) {
			return false
		}
	}
	return len(queues) > 0
}
