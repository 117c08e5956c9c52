package api

import (
	"maps"
	"net/http"
	"slices"
)

// Code says what is wrong with a request, for programs: one of a closed list, and
// stable.
type Code string

// CodeInfo explains a code to a person.
type CodeInfo struct {
	Status int
	Title  string // what happened, in a few words
	// Meaning says more, and what to do about it.
	Meaning string
}

// The codes that any route may answer with.
const (
	CodeMalformed        Code = "malformed_request"
	CodeInvalid          Code = "invalid_request"
	CodeUnauthenticated  Code = "unauthenticated"
	CodeAccessEnded      Code = "access_ended"
	CodeScopeMissing     Code = "scope_missing"
	CodeCustomerUnknown  Code = "customer_unknown"
	CodeNoRoute          Code = "no_route"
	CodeMethodNotAllowed Code = "method_not_allowed"
	CodeTimeout          Code = "request_timeout"
	CodeTooLarge         Code = "body_too_large"
	CodeMediaType        Code = "media_type_unsupported"
	CodeHeadersTooLarge  Code = "headers_too_large"
	CodeRateLimited      Code = "rate_limited"
	CodeTooManyFailures  Code = "too_many_failures"
	CodeInternal         Code = "internal_error"
	CodeUnavailable      Code = "store_unavailable"
	CodeBusy             Code = "busy"
	CodeStopping         Code = "stopping"
	CodeCannotOpen       Code = "data_sealed"
)

// The codes of what a customer has.
const (
	CodeNoConnection      Code = "no_connection"
	CodeConnectionExists  Code = "connection_exists"
	CodeConnectionChanged Code = "connection_changed"
	CodeConnectionInvalid Code = "connection_invalid"
	CodeConnectionState   Code = "connection_state"
	CodeNoBatch           Code = "batch_unknown"
	CodeBatchConflict     Code = "idempotency_conflict"
	CodeBatchCancelled    Code = "batch_cancelled"
	CodeBatchInvalid      Code = "batch_invalid"
	CodeNothingAccepted   Code = "nothing_accepted"
	CodeIncomplete        Code = "body_incomplete"
	CodeTooManyRows       Code = "too_many_rows"
	CodeTooManyWaiting    Code = "too_many_waiting"
	CodeStoreFull         Code = "store_full"
	CodeNotDead           Code = "not_a_dead_letter"
	CodeNoCandidate       Code = "candidate_unknown"
	CodeInWork            Code = "in_work"
	CodeNoVerification    Code = "verification_unknown"
	CodeNoReadBack        Code = "read_back_unknown"
	CodeCallsShort        Code = "calls_short"
	CodeNoSession         Code = "session_unknown"
)

var codes = map[Code]CodeInfo{
	CodeMalformed:        {http.StatusBadRequest, "the request cannot be read", "The body is missing, is no valid JSON, or broke off. Send it again as the OpenAPI document says."},
	CodeInvalid:          {http.StatusUnprocessableEntity, "the request has fields that are wrong", "Each is in `errors`, with what to do about it."},
	CodeUnauthenticated:  {http.StatusUnauthorized, "the request has no valid API key", "Send `Authorization: Bearer ixk_…`. A key that is unknown, wrong, expired or revoked gets the same answer; an operator makes a new one with `icims-export apikeys new`."},
	CodeAccessEnded:      {http.StatusUnauthorized, "access ended during the request", "The API key was revoked or has expired; `detail` says which. Requests in progress end within seconds. For an upload, `receipt` has what was accepted before; nothing is accepted afterwards. Send the upload again with the same `Idempotency-Key` and another API key: only what is missing is added. An event stream ends with the event `problem`."},
	CodeScopeMissing:     {http.StatusForbidden, "the API key lacks the scope", "Use a key with the scope that the detail names."},
	CodeCustomerUnknown:  {http.StatusNotFound, "there is no such customer for this API key", "Check the number in the path. A key that is bound to customers sees no others."},
	CodeNoRoute:          {http.StatusNotFound, "there is nothing at this address", "Look the path up in `/openapi.json`."},
	CodeMethodNotAllowed: {http.StatusMethodNotAllowed, "the address does not know this method", "The header `Allow` lists those it knows."},
	CodeTimeout:          {http.StatusRequestTimeout, "the body came too slowly", "Send it again over a better connection. An export with the same `Idempotency-Key` goes on where it broke off."},
	CodeTooLarge:         {http.StatusRequestEntityTooLarge, "the body is too large", "Send less at once."},
	CodeMediaType:        {http.StatusUnsupportedMediaType, "the body is of a kind that is not understood", "Send `Content-Type: application/json`, or one of those that the route lists."},
	CodeHeadersTooLarge:  {http.StatusRequestHeaderFieldsTooLarge, "the headers or the address are too large", "Send fewer or shorter ones."},
	CodeRateLimited:      {http.StatusTooManyRequests, "the API key makes too many requests", "Wait for as long as the header `Retry-After` says. The detail tells where it is too many uploads at the same time."},
	CodeTooManyFailures:  {http.StatusTooManyRequests, "too many requests without a valid API key came from this address", "Wait for as long as the header `Retry-After` says, and correct the key."},
	CodeInternal:         {http.StatusInternalServerError, "an unexpected fault of this service", "Look for the `request_id` in its log."},
	CodeUnavailable:      {http.StatusServiceUnavailable, "Redis does not answer, or refuses writes", "Ask again after as long as the header `Retry-After` says. A change that could not be entered in the journal was not made."},
	CodeBusy:             {http.StatusServiceUnavailable, "the service answers as many requests as it can", "Ask again after as long as the header `Retry-After` says. The detail tells where only further uploads are refused."},
	CodeStopping:         {http.StatusServiceUnavailable, "the service is being stopped", "Ask again: another instance, or the next start, answers."},
	CodeCannotOpen:       {http.StatusServiceUnavailable, "the data cannot be opened with this keyset", "Give the service the newest keyset, with all keys that data is sealed with (`icims-export keys status`)."},

	CodeNoConnection:      {http.StatusNotFound, "the customer has no connection", "Enter one: `PUT /v1/customers/{customer}/connection`."},
	CodeConnectionExists:  {http.StatusConflict, "the customer has a connection already", "Edit it: send the revision that it has as `If-Match`."},
	CodeConnectionChanged: {http.StatusPreconditionFailed, "the connection was changed meanwhile", "Read it again, then send the change with its new revision as `If-Match`."},
	CodeConnectionInvalid: {http.StatusUnprocessableEntity, "the connection has settings that are wrong", "Each is in `errors`, with what to do about it."},
	CodeConnectionState:   {http.StatusConflict, "the connection is in a state that does not allow this", "Look at its state."},
	CodeNoBatch:           {http.StatusNotFound, "the customer has no such batch", "Check the id. A batch is forgotten some time after its end (setting `result_retention`)."},
	CodeBatchConflict:     {http.StatusConflict, "the idempotency key belongs to another batch", "Nothing was accepted. `detail` and `errors` say what differs: the job, an option, a row or the number of rows. Send the same batch again, or use a new `Idempotency-Key`. To correct refused rows, send them as a new batch."},
	CodeBatchCancelled:    {http.StatusConflict, "the batch was cancelled and takes no more candidates", "To send them all the same, send a new batch, with another `Idempotency-Key`."},
	CodeBatchInvalid:      {http.StatusUnprocessableEntity, "the batch as a whole is wrong", "The field is in `errors`, with what to do about it."},
	CodeNothingAccepted:   {http.StatusUnprocessableEntity, "every row was refused", "There is no batch. The problems are in `errors`, by row and field; `receipt` has more of them. Correct the rows and send them again."},
	CodeIncomplete:        {http.StatusBadRequest, "the body ends in the middle of a candidate or of its JSON", "What came before is accepted: `receipt` has it. Send all of it again, complete and with the same `Idempotency-Key`: only what is missing is added."},
	CodeTooManyRows:       {http.StatusRequestEntityTooLarge, "the batch has more rows than a batch may have", "The rows before are accepted: `receipt` has them. Send those from the row on that the detail names as another batch, with another `Idempotency-Key`, or raise the setting `max_batch_rows`."},
	CodeTooManyWaiting:    {http.StatusTooManyRequests, "the customer has as many candidates waiting as it may have", "The candidates before are accepted: `receipt` has them. Send all of it again with the same `Idempotency-Key` when some have ended: only what is missing is added. Dead letters count: retry or discard them. The setting `max_waiting` has the limit."},
	CodeStoreFull:         {http.StatusServiceUnavailable, "Redis's memory is nearly full, so no candidates are accepted", "The candidates before are accepted: `receipt` has them. Send all of it again with the same `Idempotency-Key` later. An operator can raise Redis's `maxmemory`, cancel batches or discard dead letters; the setting `accept_memory` has the part of the memory up to which candidates are accepted."},
	CodeNotDead:           {http.StatusNotFound, "the export is no dead letter", "It was retried or discarded meanwhile, or never was one."},
	CodeNoCandidate:       {http.StatusNotFound, "nothing is known of the candidate", "Check the id: it is the one that was sent with the export."},
	CodeInWork:            {http.StatusConflict, "an export is being worked on", "Ask again in a minute."},
	CodeNoSession:         {http.StatusNotFound, "there is no such console session", "It has ended, or belongs to another API key."},
	CodeNoReadBack:        {http.StatusNotFound, "the customer has no such read-back", "Check the id. Only the latest are kept."},
	CodeCallsShort:        {http.StatusConflict, "the read-back takes more calls to iCIMS than it may make", "Send a smaller `sample`, or send it again after midnight UTC."},
	CodeNoVerification:    {http.StatusNotFound, "the customer has no such verification", "Check the id. Only the latest are kept."},
}

// Codes lists all codes.
func Codes() []Code { return slices.Sorted(maps.Keys(codes)) }

// Info explains the code.
func (c Code) Info() CodeInfo {
	if info, ok := codes[c]; ok {
		return info
	}
	return codes[CodeInternal]
}
