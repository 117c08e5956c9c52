package monitoring

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/hibiken/asynq"

	"github.com/seekout/icims-export/tasks"
	"github.com/seekout/icims-export/worker/control"
)

// hidden stands for what is not shown.
const hidden = "(not shown)"

var (
	isQueue    = regexp.MustCompile(`\A` + queueName + `\z`)
	isTask     = regexp.MustCompile(`\A(?:` + taskName + `)\z`)
	isExport   = regexp.MustCompile(`\A[a-z2-7]{16}\z`)
	isCustomer = regexp.MustCompile(`\A[0-9]{1,18}\z`)
	isEnd      = regexp.MustCompile(`\A(?:ended before|done, calls to iCIMS: [0-9]{1,9}|failed: [A-Za-z ]{1,80}\.)\z`)
	isReturn   = regexp.MustCompile(`\Acomes back in (?:[0-9]+[hms])+\z`)
)

// showPayload renders the reference that a task carries, from its parts.
func showPayload(kind string, payload []byte) string {
	if kind == tasks.TypeExport {
		ref, err := tasks.ParseTask(asynq.NewTask(kind, payload))
		if err == nil && isExport.MatchString(ref.Export) {
			return fmt.Sprintf(`{"customer":%q,"export":%q}`, ref.Customer, ref.Export)
		}
	}
	if known, ours := tasks.ControlTasks()[kind]; ours {
		var ref struct{ Customer, Kind string }
		if json.Unmarshal(payload, &ref) == nil && ref.Kind == string(known) && isCustomer.MatchString(ref.Customer) {
			return fmt.Sprintf(`{"customer":%q,"kind":%q}`, ref.Customer, ref.Kind)
		}
	}
	return bytesOf(payload)
}

// showResult shows how a control task ended. Exports have no results.
func showResult(kind string, result []byte) string {
	if len(result) == 0 {
		return ""
	}
	if _, ours := tasks.ControlTasks()[kind]; ours && isEnd.Match(result) {
		return string(result)
	}
	return bytesOf(result)
}

func bytesOf(data []byte) string { return fmt.Sprintf("(%d bytes, not shown)", len(data)) }

// showFailure tells what kind of failure a task met last. Its text may be anybody's: a
// panic's holds whatever was panicked with, that of Redis an address.
func showFailure(text string) string {
	switch {
	case slices.Contains(control.Waits(), text):
		return text
	case text == "", isReturn.MatchString(text), text == "asynq: task lease expired":
		return text
	case strings.HasPrefix(text, "task payload"):
		return "the task is no reference to an export"
	case strings.HasPrefix(text, "panic"), strings.HasPrefix(text, "unexpected fault"):
		return "an unexpected fault; the worker's log has it"
	case strings.Contains(text, "context deadline exceeded"):
		return "a time-out"
	case strings.Contains(text, "context canceled"):
		return "interrupted"
	}
	return "a failure, most likely of Redis; the worker's log has it"
}

func asItIs(text string) string { return text }

func only(pattern *regexp.Regexp) func(string) string {
	return func(text string) string {
		if pattern.MatchString(text) {
			return text
		}
		return hidden
	}
}

func showType(text string) string {
	if _, ours := tasks.ControlTasks()[text]; ours || text == tasks.TypeExport {
		return text
	}
	return hidden
}

// fields are all that may stand in asynqmon's answers. What is not here is left out, so
// that a new version shows nothing new unseen. Texts are shown by the function; lists,
// objects, numbers and truth values need none.
var fields = map[string]func(string) string{
	// A queue.
	"queues": nil, "current": nil, "stats": nil, "history": nil,
	"queue": only(isQueue), "memory_usage_bytes": nil, "size": nil, "latency_msec": nil, "display_latency": asItIs,
	"active": nil, "pending": nil, "aggregating": nil, "scheduled": nil, "retry": nil, "archived": nil, "completed": nil,
	"processed": nil, "succeeded": nil, "failed": nil, "paused": nil, "timestamp": asItIs, "date": asItIs,
	// Groups are not used; asynqmon's page needs the list.
	"groups": nil, "group": nil,
	// A task.
	"tasks": nil, "id": only(isTask), "type": showType, "payload": asItIs, "state": asItIs, "max_retry": nil, "retried": nil,
	"error_message": showFailure, "last_failed_at": asItIs, "timeout_seconds": nil, "deadline": asItIs, "next_process_at": asItIs,
	"completed_at": asItIs, "result": asItIs, "ttl_seconds": nil, "is_orphaned": nil, "start_time": asItIs,
	// A server.
	"servers": nil, "host": asItIs, "pid": nil, "concurrency": nil, "queue_priorities": nil, "strict_priority_enabled": nil,
	"status": asItIs, "active_workers": nil, "task_id": only(isTask), "task_type": showType, "task_payload": asItIs,
}

// show renders an answer of asynqmon's with what may be shown.
func show(answer []byte) ([]byte, error) {
	decoder := json.NewDecoder(bytes.NewReader(answer))
	decoder.UseNumber()
	var v any
	if err := decoder.Decode(&v); err != nil {
		return nil, fmt.Errorf("answer of the web UI: %w", err)
	}
	return json.Marshal(showValue("", v))
}

// showValue is a value that stands under a name, as it may be shown.
func showValue(name string, v any) any {
	switch v := v.(type) {
	case string:
		if render := fields[name]; render != nil {
			return render(v)
		}
		return hidden
	case []any:
		shown := make([]any, 0, len(v))
		for _, one := range v {
			if name == "servers" && !isOurs(one) {
				continue
			}
			shown = append(shown, showValue(name, one))
		}
		return shown
	case map[string]any:
		shown := make(map[string]any, len(v))
		for key, one := range v {
			if _, known := fields[key]; known || isQueue.MatchString(key) {
				shown[key] = showValue(key, one)
			}
		}
		return shown
	}
	return v
}

// isOurs reports whether a server serves our queues, and no others.
func isOurs(server any) bool {
	object, _ := server.(map[string]any)
	queues, _ := object["queue_priorities"].(map[string]any)
	for name := range queues {
		if !isQueue.MatchString(name) {
			return false
		}
	}
	return len(queues) > 0
}
