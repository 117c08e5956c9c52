// Package input reads and checks what producers send.
//
// A [Batch] is one submission: a customer, a [Target], [Options] and an iterator of [Candidate]
// values. [Read], [ReadCSV], [ReadNDJSON] and [ReadRequest] make such iterators from files and
// request bodies, and [Candidates] from values in memory. A row that cannot be read is a *[RowError]
// and does not end the input.
//
// [Candidate.Validate] returns the problems that refuse a row. A [Problem] names field, problem and
// remedy, and never contains a value, since input is personal data. A [Refusal] is a refused row in a
// receipt.
//
// The package has no dependency on Redis, so that callers of the HTTP API (package api/client) can
// use it.
package input
