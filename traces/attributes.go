package traces

import (
	"go.opentelemetry.io/otel/attribute"
)

// Scope is the instrumentation scope of all spans.
const Scope = "github.com/seekout/icims-export"

// The attributes of spans and their events: IDs, counts and codes of closed sets. They contain no
// candidate data, no text from iCIMS and no URL. Candidate IDs are omitted too, since `icims-export
// erase` cannot reach a collector's data.
const (
	Customer    = attribute.Key("icims.customer")
	Batch       = attribute.Key("icims.batch")
	Export      = attribute.Key("icims.export")
	Queue       = attribute.Key("icims.queue")        // bulk, express
	Attempt     = attribute.Key("icims.attempt")      // attempt of the export, from 1
	Outcome     = attribute.Key("icims.outcome")      // done, skipped, deferred, ...
	Reason      = attribute.Key("icims.reason")       // see docs/errors.md
	Calls       = attribute.Key("icims.calls")        // to iCIMS
	Rows        = attribute.Key("icims.rows")         // of a chunk
	Accepted    = attribute.Key("icims.accepted")     // rows
	Refused     = attribute.Key("icims.refused")      // rows
	ControlTask = attribute.Key("icims.control_task") // its ID
	Kind        = attribute.Key("icims.control_task_kind")

	Operation = attribute.Key("icims.operation") // people.create, ...
	Sent      = attribute.Key("icims.sent")      // whether iCIMS can have received the call: no, maybe, yes
	Waited    = attribute.Key("icims.waited_ms")

	Method   = attribute.Key("http.request.method")
	Status   = attribute.Key("http.response.status_code")
	Template = attribute.Key("url.template")
)

// Keys returns the closed set of attributes.
func Keys() []attribute.Key {
	return []attribute.Key{
		Customer, Batch, Export, Queue, Attempt, Outcome, Reason, Calls, Rows, Accepted, Refused, ControlTask, Kind,
		Operation, Sent, Waited, Method, Status, Template,
	}
}
