// Package mapping turns candidates into iCIMS fields. docs/mapping.md is its table.
//
//	candidate ─┬─ [Person]   ──> POST people              someone new
//	           ├─ [Changes]  ──> PATCH people, POST phones someone iCIMS already has
//	           └─ [Workflow] ──> POST applicantworkflows   for an export to a job
//
// All functions are pure: they take the candidate, the customer's connection (which
// names the tenant's own fields, folder, source and status) and, for an update, the
// stored profile. They return the body of the request and the warnings about what
// cannot be sent as given.
//
// Nothing is ever cleared: an empty value is left out. An existing profile keeps its
// folder, source, email, work experience and education.
//
// [Preview] shows the bodies of a candidate who is new in iCIMS, for dry runs.
//
// A [Warning] says that something was not sent, or not sent as given, although the
// export succeeded. Warnings are codes of a closed set and carry no value of a
// candidate; some name a field. The ledger keeps them as [WarningSet.Codes].
//
// What a tenant refuses, and what to send then, is the worker's (worker/tenant.go).
package mapping
