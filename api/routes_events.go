package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/seekout/icims-export/store"
)

func (s *Server) registerEvents() {
	schemas := s.huma.OpenAPI().Components.Schemas
	schemaOf(schemas, BatchStatus{})
	registerRaw(s, op{
		ID: "follow-batch", Method: http.MethodGet, Path: "/v1/customers/{customer}/batches/{batch}/events", Scope: ScopeRead, Tags: []string{"batches"},
		Errors: []Code{CodeNoBatch}, Summary: "Follow a batch",
		Description: "Server-sent events: `progress` immediately and after each change, at most once per second; `end` is the last event. " +
			"The data of both is the response of `get-batch`. When the API key is revoked or expires, the stream ends within seconds with the event `problem`. It also ends when the service stops and after 30 minutes: reconnect with `Last-Event-ID` to skip known events. " +
			"After `end`, the response is 204.",
	}, huma.Operation{
		Parameters: []*huma.Param{{
			Name: "Last-Event-ID", In: "header", Description: "The ID of the last received event.", Schema: &huma.Schema{Type: huma.TypeString, MaxLength: new(200)},
		}},
		Responses: map[string]*huma.Response{
			"200": {Description: "A stream of events.", Content: map[string]*huma.MediaType{mediaEvents: {
				Schema: &huma.Schema{Type: huma.TypeString, Description: "Lines `id:`, `event:` and `data:`; the data is a BatchStatus as JSON."},
			}}},
			"204": {Description: "The batch has ended and the end event was received."},
		},
	}, s.followBatch)
}

const (
	mediaEvents = "text/event-stream"
	// heartbeat keeps proxies from closing an idle connection.
	heartbeat = 15 * time.Second
	// longestStream limits the duration of a stream, so that followers spread over all processes.
	longestStream = 30 * time.Minute
)

func (s *Server) followBatch(w http.ResponseWriter, r *http.Request) {
	ctx := r.Context()
	id := store.BatchID(r.PathValue("batch"))
	if err := readQuery(r).err(); err != nil {
		s.refuse(w, r, err)
		return
	}
	// Subscribe before the first read, so that no change is missed.
	changes, leave := s.watches.follow(id)
	defer leave()
	b, err := s.Ledger.Batches.Get(ctx, id)
	if err != nil {
		s.refuse(w, r, err)
		return
	}
	e := events{w: w, last: r.Header.Get("Last-Event-ID")}
	first := s.statusOf(ctx, b)
	if ended(b) && e.last == eventID(first) {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	e.begin()
	more := e.tell(first)
	beat, longest := time.NewTicker(heartbeat), time.NewTimer(longestStream)
	defer beat.Stop()
	defer longest.Stop()
	for more {
		select {
		case <-ctx.Done():
			if ended := accessEnded(ctx); ended != nil {
				p := s.problemOf(ctx, ended)
				p.RequestID = requestOf(ctx).id
				e.problem(p)
			}
			return
		case <-s.closing():
			return
		case <-longest.C:
			return
		case <-beat.C:
			more = e.write(": still here\n\n")
		case change, ok := <-changes:
			more = ok && e.tell(change) // a deleted batch has no more events
		}
	}
}

// ended reports whether the batch has ended.
func ended(b store.Batch) bool { return !b.Closed.IsZero() && b.Moving() == 0 }

// eventID identifies the state of a batch, so that no event is sent twice.
func eventID(b BatchStatus) string {
	waits := store.Reason("")
	if b.Forecast != nil {
		waits = b.Forecast.Waits
	}
	return fmt.Sprintf("%d.%d.%d.%d.%d.%d.%d.%d.%d.%t.%s%d", b.Accepted, b.Refused, b.Created, b.Updated, b.Skipped, b.Dead, b.Cancelled, b.Calls, b.WithoutWorkflow, ended(b.Batch), waits, len(b.Waits))
}

// events is a stream of events.
type events struct {
	w    http.ResponseWriter
	last string
}

func (e *events) begin() {
	header := e.w.Header()
	header.Set("Content-Type", mediaEvents)
	header.Set("X-Accel-Buffering", "no") // keeps nginx from buffering
	e.w.WriteHeader(http.StatusOK)
	e.write("retry: 2000\n\n")
}

// tell sends the batch's state, unless it was sent last. It reports whether the stream continues.
func (e *events) tell(b BatchStatus) bool {
	id, kind := eventID(b), "progress"
	if ended(b.Batch) {
		kind = "end"
	}
	if id == e.last {
		return kind != "end"
	}
	data, err := json.Marshal(convertTimes(b))
	if err != nil {
		return false
	}
	e.last = id
	return e.write(fmt.Sprintf("id: %s\nevent: %s\ndata: %s\n\n", id, kind, data)) && kind != "end"
}

// problem sends the reason why the stream ends.
func (e *events) problem(p *Problem) {
	if data, err := json.Marshal(p); err == nil {
		e.write(fmt.Sprintf("event: problem\ndata: %s\n\n", data))
	}
}

func (e *events) write(text string) bool {
	if _, err := e.w.Write([]byte(text)); err != nil {
		return false
	}
	err := http.NewResponseController(e.w).Flush()
	return err == nil || errors.Is(err, http.ErrNotSupported)
}
