// Package mapping turns candidates into iCIMS fields. docs/mapping.md lists the fields.
//
//	candidate ─┬─ [Person]   ──> POST people              a new person
//	           ├─ [Changes]  ──> PATCH people, POST phones an existing person
//	           └─ [Workflow] ──> POST applicantworkflows   for an export to a job
//
// All functions are pure. They take the candidate, the customer's connection (which names the
// tenant's own fields, folder, source and status) and, for an update, the stored profile. They
// return the body of the request and warnings about values that cannot be sent as given.
//
// Nothing is ever cleared: empty values are omitted. An existing profile keeps its folder, source,
// email, work experience and education.
//
// [Preview] returns the bodies for a new candidate, for dry runs.
//
// A [Warning] says that a value was not sent, or not sent as given, although the export succeeded.
// Warnings are codes of a closed set and contain no candidate data; some name a field. The ledger
// stores them as [WarningSet.Codes].
//
// Package worker handles fields that a tenant refuses (worker/tenant.go).
package mapping
