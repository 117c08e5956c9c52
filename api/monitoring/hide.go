package monitoring

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"sync"

	"github.com/seekout/icims-export/store"
	"github.com/seekout/icims-export/worker/control"
	"github.com/seekout/icims-export/worker/intake"
)

// hidden stands for a name that is not ours.
const hidden = "(not shown)"

var (
	isQueue = regexp.MustCompile(`\A` + queueName + `\z`)
	isTask  = regexp.MustCompile(`\A(?:` + taskName + `)\z`)
	isType  = regexp.MustCompile(`\Aicims:[a-z]{1,20}\z`)
)

// reference is what the payload of a task of ours may hold. None of it is personal.
type reference struct {
	Customer   string `json:"customer"`
	Kind       string `json:"kind,omitempty"` // of a control task
	Batch      string `json:"batch,omitempty"`
	Row        int    `json:"row,omitempty"`
	Candidate  string `json:"candidate,omitempty"`
	Export     string `json:"export,omitempty"`
	Generation int    `json:"generation,omitempty"` // of earlier versions
}

var (
	isExport    = regexp.MustCompile(`\A[a-z2-7]{16}\z`)
	isKind      = regexp.MustCompile(`\A[a-z_]{1,20}\z`)
	isCandidate = regexp.MustCompile(`\A[A-Za-z0-9][A-Za-z0-9._:~-]{0,127}\z`) // as tasks.Candidate checks it
)

// formatPayload shows a payload that is a reference, and the length of any other.
func formatPayload(kind string, payload []byte) string {
	decoder := json.NewDecoder(bytes.NewReader(payload))
	decoder.DisallowUnknownFields()
	var r reference
	if !isType.MatchString(kind) || decoder.Decode(&r) != nil || decoder.More() || !store.ValidCustomer(r.Customer) {
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
	text, err := json.Marshal(r) // anew: a name may have been given twice
	if err != nil {
		return sizeOf(payload)
	}
	return string(text)
}

// formatResult shows a result that is a text of ours, and the length of any other.
func formatResult(_ string, result []byte) string {
	if len(result) == 0 || isOurText(string(result)) {
		return string(result)
	}
	return sizeOf(result)
}

func sizeOf(data []byte) string { return fmt.Sprintf("(%d bytes, not shown)", len(data)) }

// formatError shows a task's last error if it is a text of ours. Any other may hold
// anything: an address, or what another program failed with.
func formatError(text string) string {
	if isOurText(text) || intake.Shown(text) {
		return text
	}
	return "error text hidden; see the worker's log"
}

// phrases are what our last errors and results consist of besides reasons, what control
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

// ourWords are all words that our last errors and results are made of.
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
	// contact is what a phone number or an email address looks like.
	contact = regexp.MustCompile(`[0-9][ .()/+-]+[0-9]{3}|[0-9]{7}|[@+]`)
)

// isOurText reports whether a text is made of our words and short numbers alone. A person's
// name is not among the words.
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

// shown are the fields of asynqmon's answers whose texts are not always ours, besides
// those that the formatters see.
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

// hide returns an answer of asynqmon's without what may be another program's.
func hide(answer []byte) ([]byte, error) {
	decoder := json.NewDecoder(bytes.NewReader(answer))
	decoder.UseNumber()
	var v any
	if err := decoder.Decode(&v); err != nil {
		return nil, fmt.Errorf("answer of the web UI: %w", err)
	}
	return json.Marshal(hideIn("", v))
}

// hideIn is hide for a value that stands under a name.
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

// servesOurs reports whether a server serves our queues, and no others.
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
