package api

import (
	"maps"
	"net/http"
	"slices"
)

// Code identifies a problem with a request. The list is closed and stable.
type Code string

// CodeInfo explains a code.
type CodeInfo struct {
	Status int
	Title  string // what happened, in a few words
	// Meaning adds details and the remedy.
	Meaning string
}

// Codes of all routes.
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

// Codes of routes for a customer.
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
	CodeMalformed:        {http.StatusBadRequest, "malformed request", "The body is missing, is not valid JSON, or ended early. Send it as the OpenAPI document describes."},
	CodeInvalid:          {http.StatusUnprocessableEntity, "invalid fields in the request", "`errors` has each field with its remedy."},
	CodeUnauthenticated:  {http.StatusUnauthorized, "no valid API key", "Send `Authorization: Bearer ixk_…`. Unknown, wrong, expired and revoked keys get the same response. An operator creates a key with `icims-export apikeys new`."},
	CodeAccessEnded:      {http.StatusUnauthorized, "access ended during the request", "The API key was revoked or has expired; `detail` says which. Requests in progress end within seconds. For an upload, `receipt` has what was accepted before; nothing is accepted afterwards. Send the upload again with the same `Idempotency-Key` and another API key: only missing rows are added. An event stream ends with the event `problem`."},
	CodeScopeMissing:     {http.StatusForbidden, "missing scope", "Use a key with the scope in `detail`."},
	CodeCustomerUnknown:  {http.StatusNotFound, "customer not found for this API key", "Check the number in the path. A key that is limited to customers sees no others."},
	CodeNoRoute:          {http.StatusNotFound, "path not found", "Look the path up in `/openapi.json`."},
	CodeMethodNotAllowed: {http.StatusMethodNotAllowed, "method not allowed", "The header `Allow` lists the methods."},
	CodeTimeout:          {http.StatusRequestTimeout, "the body arrived too slowly", "Send it again over a better connection. With the same `Idempotency-Key`, an export continues where it stopped."},
	CodeTooLarge:         {http.StatusRequestEntityTooLarge, "the body is too large", "Send less in one request."},
	CodeMediaType:        {http.StatusUnsupportedMediaType, "unsupported content type", "Send `Content-Type: application/json`, or a type that the route lists."},
	CodeHeadersTooLarge:  {http.StatusRequestHeaderFieldsTooLarge, "the headers or the URL are too large", "Send fewer or shorter ones."},
	CodeRateLimited:      {http.StatusTooManyRequests, "too many requests with this API key", "Wait as long as the header `Retry-After` says. `detail` says if the limit is on concurrent uploads."},
	CodeTooManyFailures:  {http.StatusTooManyRequests, "too many requests without a valid API key from this address", "Wait as long as the header `Retry-After` says, and correct the key."},
	CodeInternal:         {http.StatusInternalServerError, "internal error", "Look up the `request_id` in the service's log."},
	CodeUnavailable:      {http.StatusServiceUnavailable, "Redis does not respond, or refuses writes", "Retry after the time in the header `Retry-After`. A change that could not be recorded in the audit log was not made."},
	CodeBusy:             {http.StatusServiceUnavailable, "too many concurrent requests", "Retry after the time in the header `Retry-After`. `detail` says if only further uploads are refused."},
	CodeStopping:         {http.StatusServiceUnavailable, "the service is stopping", "Retry: another process, or this one after its restart, responds."},
	CodeCannotOpen:       {http.StatusServiceUnavailable, "the data cannot be opened with this keyset", "Give the service the newest keyset, with all keys in use (`icims-export keys status`)."},

	CodeNoConnection:      {http.StatusNotFound, "the customer has no connection", "Add one: `PUT /v1/customers/{customer}/connection`."},
	CodeConnectionExists:  {http.StatusConflict, "the customer already has a connection", "To edit it, send its revision as `If-Match`."},
	CodeConnectionChanged: {http.StatusPreconditionFailed, "the connection has changed", "Read it again, then send the edit with the new revision as `If-Match`."},
	CodeConnectionInvalid: {http.StatusUnprocessableEntity, "invalid connection settings", "`errors` has each setting with its remedy."},
	CodeConnectionState:   {http.StatusConflict, "the connection's state does not allow this", "Check its state."},
	CodeNoBatch:           {http.StatusNotFound, "batch not found", "Check the ID. Batches are deleted some time after they end (setting `result_retention`)."},
	CodeBatchConflict:     {http.StatusConflict, "the idempotency key belongs to another batch", "Nothing was accepted. `detail` and `errors` say what differs: the job, an option, a row or the number of rows. Send the same batch again, or use a new `Idempotency-Key`. To correct refused rows, send them as a new batch."},
	CodeBatchCancelled:    {http.StatusConflict, "the batch was canceled and takes no more candidates", "Send a new batch, with another `Idempotency-Key`."},
	CodeBatchInvalid:      {http.StatusUnprocessableEntity, "invalid batch", "`errors` has the field with its remedy."},
	CodeNothingAccepted:   {http.StatusUnprocessableEntity, "every row was refused", "There is no batch. `errors` has the problems by row and field; `receipt` has more of them. Correct the rows and send them again."},
	CodeIncomplete:        {http.StatusBadRequest, "the body ends in the middle of a candidate or of its JSON", "The rows before are accepted: see `receipt`. Send the complete body again with the same `Idempotency-Key`: only missing rows are added."},
	CodeTooManyRows:       {http.StatusRequestEntityTooLarge, "too many rows in the batch", "The rows before are accepted: see `receipt`. Send the rest, from the row in `detail`, as another batch with another `Idempotency-Key`, or raise the setting `max_batch_rows`."},
	CodeTooManyWaiting:    {http.StatusTooManyRequests, "too many waiting candidates for the customer", "The candidates before are accepted: see `receipt`. When some exports have ended, send everything again with the same `Idempotency-Key`: only missing rows are added. Dead letters count: retry or discard them. The setting `max_waiting` has the limit."},
	CodeStoreFull:         {http.StatusServiceUnavailable, "Redis's memory is nearly full, so no candidates are accepted", "The candidates before are accepted: see `receipt`. Send everything again later with the same `Idempotency-Key`. To free memory, raise Redis's `maxmemory`, cancel batches or discard dead letters. The setting `accept_memory` has the limit."},
	CodeNotDead:           {http.StatusNotFound, "the export is not a dead letter", "It was retried or discarded, or never was one."},
	CodeNoCandidate:       {http.StatusNotFound, "candidate not found", "Check the ID: it is the one that was sent with the export."},
	CodeInWork:            {http.StatusConflict, "an export is in progress", "Retry in a minute."},
	CodeNoSession:         {http.StatusNotFound, "console session not found", "It has ended, or belongs to another API key."},
	CodeNoReadBack:        {http.StatusNotFound, "read-back not found", "Check the ID. Only the latest are kept."},
	CodeCallsShort:        {http.StatusConflict, "the read-back needs more calls to iCIMS than it may make", "Send a smaller `sample`, or retry after midnight UTC."},
	CodeNoVerification:    {http.StatusNotFound, "verification not found", "Check the ID. Only the latest are kept."},
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
