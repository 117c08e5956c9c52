package icimstest

import (
	"fmt"
	"net/http"
	"slices"
)

// Behavior sets what iCIMS does where it is not publicly documented. Each switch represents one
// assumption. An empty switch takes its default, the value listed first.
type Behavior struct {
	// DuplicateEmail is the response to POST /people with an address that a person already has:
	// allow, reject400code4 or reject409.
	DuplicateEmail string `json:"duplicate_email,omitempty" yaml:"duplicate_email"`
	// DuplicateWorkflow is the response to a second workflow of a person and a job: reject400,
	// return_existing or allow.
	DuplicateWorkflow string `json:"duplicate_workflow,omitempty" yaml:"duplicate_workflow"`
	// CollectionPatch is what an array in a profile PATCH does to existing entries: append or
	// replace.
	CollectionPatch string `json:"collection_patch,omitempty" yaml:"collection_patch"`
	// DuplicateEntryLocation is the Location after a collection POST that changed nothing: existing
	// or absent.
	DuplicateEntryLocation string `json:"duplicate_entry_location,omitempty" yaml:"duplicate_entry_location"`
	// StatusByValue is how a status given only by its label is treated: accepted, refused, ignored
	// (the workflow gets the default status) or ignored_with_warning.
	StatusByValue string `json:"status_by_value,omitempty" yaml:"status_by_value"`
	// StatusOnCreate is how the status of a new workflow is treated: accepted, or ignored (the workflow
	// gets the default status, and a PATCH sets another one).
	StatusOnCreate string `json:"status_on_create,omitempty" yaml:"status_on_create"`
	// MissingStatus is the status of a workflow created without one: first (of the first bin) or
	// none.
	MissingStatus string `json:"missing_status,omitempty" yaml:"missing_status"`
	// UnknownListValue is how an unknown list value is treated: refuse, warn (saved without it) or
	// warn_collection (of a collection's entries, none is saved).
	UnknownListValue string `json:"unknown_list_value,omitempty" yaml:"unknown_list_value"`
	// UnknownField is how a field is treated that the tenant or the account does not have: warn
	// (saved without it) or refuse. iCIMS documents a warning for a bad field name.
	UnknownField string `json:"unknown_field,omitempty" yaml:"unknown_field"`
	// EntryProblemNames is the field name in a problem with a value within a collection: path
	// (education.school), child (school), collection (education) or none.
	EntryProblemNames string `json:"entry_problem_names,omitempty" yaml:"entry_problem_names"`
	// OverlongText is how text over the field's limit is treated: refuse or truncate.
	OverlongText string `json:"overlong_text,omitempty" yaml:"overlong_text"`
	// WarningCarrier is where warnings of a saved record are sent: both, header or body.
	WarningCarrier string `json:"warning_carrier,omitempty" yaml:"warning_carrier"`
	// SearchEmailCase is how == compares email addresses: sensitive or insensitive.
	SearchEmailCase string `json:"search_email_case,omitempty" yaml:"search_email_case"`
	// PeopleInSearch is what a search for people finds: everybody, or nobody for an account that
	// may not list people. Reading a person by ID works in both cases.
	PeopleInSearch string `json:"people_in_search,omitempty" yaml:"people_in_search"`
	// TextValues is the meaning of several values in one text filter of a search: first (only the
	// first counts) or any. For list filters it is always any.
	TextValues string `json:"text_values,omitempty" yaml:"text_values"`
	// GroupOr is the meaning of the operator "|" in a group of filters: any, first or last (the
	// others are ignored), or refused.
	GroupOr string `json:"group_or,omitempty" yaml:"group_or"`
	// EmptySearch is the response to a search without results: list (empty), errors (200 with code
	// 2), errors404 (404 with code 2) or uncoded (200 with the literal "CODE", as in the sample of
	// iCIMS's documentation).
	EmptySearch string `json:"empty_search,omitempty" yaml:"empty_search"`
	// EmailView is whether the account can read people's email addresses: shown or hidden.
	EmailView string `json:"email_view,omitempty" yaml:"email_view"`
	// PairSearch is whether a search for workflows by person and job finds an existing one: finds,
	// misses, denied (403) or refused (400: a filter is hidden from the account).
	PairSearch string `json:"pair_search,omitempty" yaml:"pair_search"`
	// PairRoute is whether applicantworkflows/person/{person}/job/{job} exists: present, absent
	// (404 with a page), denied (403) or empty_object (200 with an empty object instead of 404 for
	// a pair that is not linked).
	PairRoute string `json:"pair_route,omitempty" yaml:"pair_route"`
	// Folder is whether people include their folder: shown or hidden.
	Folder string `json:"folder,omitempty" yaml:"folder"`
	// EntryPrimary is whether entries of phones and addresses mark the primary one: absent, as
	// recorded, or present, as documented.
	EntryPrimary string `json:"entry_primary,omitempty" yaml:"entry_primary"`
	// PatchLocation is whether the response to a PATCH has a Location: present, as recorded, or
	// absent. PatchStatus is its status: 204 or 200.
	PatchLocation string `json:"patch_location,omitempty" yaml:"patch_location"`
	PatchStatus   int    `json:"patch_status,omitempty" yaml:"patch_status"`
	// TransactionHeader is whether responses have X-Transaction: present, as recorded, or absent.
	TransactionHeader string `json:"transaction_header,omitempty" yaml:"transaction_header"`
	// WebServices is whether the account may use the API at all: granted or refused.
	// WebServicesStatus is the status of the refusal, 401 by default.
	WebServices       string `json:"web_services,omitempty" yaml:"web_services"`
	WebServicesStatus int    `json:"web_services_status,omitempty" yaml:"web_services_status"`
	// QuotaStatus is the status of calls over the daily limit: 429, 403 or 503.
	QuotaStatus int `json:"quota_status,omitempty" yaml:"quota_status"`
	// RetryAfter is whether refusals over a limit have a Retry-After: absent or present.
	RetryAfter string `json:"retry_after,omitempty" yaml:"retry_after"`
	// BlockedIPStatus is the status for addresses that are not allow-listed: 403 or 401.
	BlockedIPStatus int `json:"blocked_ip_status,omitempty" yaml:"blocked_ip_status"`
	// MissingRightStatus is the status of routes the account has no right to: 403 or 404, both with
	// code 3.
	MissingRightStatus int `json:"missing_right_status,omitempty" yaml:"missing_right_status"`
}

// Values of the switches of Behaviour.
const (
	Allow          = "allow"
	Reject400Code4 = "reject400code4"
	Reject409      = "reject409"
	Reject400      = "reject400"
	ReturnExisting = "return_existing"
	Append         = "append"
	Replace        = "replace"
	Existing       = "existing"
	Absent         = "absent"
	Present        = "present"
	Accepted       = "accepted"
	Refused        = "refused"
	First          = "first"
	Last           = "last"
	None           = "none"
	Refuse         = "refuse"
	Warn           = "warn"
	WarnCollection = "warn_collection"
	Truncate       = "truncate"
	Both           = "both"
	Header         = "header"
	Body           = "body"
	Sensitive      = "sensitive"
	Insensitive    = "insensitive"
	Everybody      = "everybody"
	Nobody         = "nobody"
	Any            = "any"
	EmptyList      = "list"
	ErrorsObject   = "errors"
	Errors404      = "errors404"
	Uncoded        = "uncoded"
	Shown          = "shown"
	Hidden         = "hidden"
	Finds          = "finds"
	Misses         = "misses"
	Denied         = "denied"
	EmptyObject    = "empty_object"
	Ignored        = "ignored"
	IgnoredWarn    = "ignored_with_warning"
	Path           = "path"
	Child          = "child"
	Collection     = "collection"
	Granted        = "granted"
)

func (b Behavior) withDefaults() Behavior {
	return b.over(Behavior{
		DuplicateEmail:         Allow,
		DuplicateWorkflow:      Reject400,
		CollectionPatch:        Append,
		DuplicateEntryLocation: Existing,
		StatusByValue:          Accepted,
		StatusOnCreate:         Accepted,
		MissingStatus:          First,
		UnknownListValue:       Refuse,
		OverlongText:           Refuse,
		WarningCarrier:         Both,
		SearchEmailCase:        Sensitive,
		PeopleInSearch:         Everybody,
		TextValues:             First,
		GroupOr:                Any,
		EmptySearch:            EmptyList,
		EmailView:              Shown,
		PairSearch:             Finds,
		PairRoute:              Present,
		UnknownField:           Warn,
		EntryProblemNames:      Path,
		Folder:                 Shown,
		EntryPrimary:           Absent,
		PatchLocation:          Present,
		PatchStatus:            http.StatusNoContent,
		TransactionHeader:      Present,
		WebServices:            Granted,
		WebServicesStatus:      http.StatusUnauthorized,
		QuotaStatus:            http.StatusTooManyRequests,
		RetryAfter:             Absent,
		BlockedIPStatus:        http.StatusForbidden,
		MissingRightStatus:     http.StatusForbidden,
	})
}

// over returns b with empty switches taken from base.
func (b Behavior) over(base Behavior) Behavior {
	fill(&b.DuplicateEmail, base.DuplicateEmail)
	fill(&b.DuplicateWorkflow, base.DuplicateWorkflow)
	fill(&b.CollectionPatch, base.CollectionPatch)
	fill(&b.DuplicateEntryLocation, base.DuplicateEntryLocation)
	fill(&b.StatusByValue, base.StatusByValue)
	fill(&b.StatusOnCreate, base.StatusOnCreate)
	fill(&b.MissingStatus, base.MissingStatus)
	fill(&b.UnknownListValue, base.UnknownListValue)
	fill(&b.OverlongText, base.OverlongText)
	fill(&b.WarningCarrier, base.WarningCarrier)
	fill(&b.SearchEmailCase, base.SearchEmailCase)
	fill(&b.PeopleInSearch, base.PeopleInSearch)
	fill(&b.TextValues, base.TextValues)
	fill(&b.GroupOr, base.GroupOr)
	fill(&b.EmptySearch, base.EmptySearch)
	fill(&b.EmailView, base.EmailView)
	fill(&b.PairSearch, base.PairSearch)
	fill(&b.PairRoute, base.PairRoute)
	fill(&b.UnknownField, base.UnknownField)
	fill(&b.EntryProblemNames, base.EntryProblemNames)
	fill(&b.Folder, base.Folder)
	fill(&b.EntryPrimary, base.EntryPrimary)
	fill(&b.PatchLocation, base.PatchLocation)
	fill(&b.PatchStatus, base.PatchStatus)
	fill(&b.TransactionHeader, base.TransactionHeader)
	fill(&b.WebServices, base.WebServices)
	fill(&b.WebServicesStatus, base.WebServicesStatus)
	fill(&b.QuotaStatus, base.QuotaStatus)
	fill(&b.RetryAfter, base.RetryAfter)
	fill(&b.BlockedIPStatus, base.BlockedIPStatus)
	fill(&b.MissingRightStatus, base.MissingRightStatus)
	return b
}

func fill[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

// check refuses unknown values: a misspelled one would be ignored silently.
func (b Behavior) check() error {
	for _, s := range []struct {
		name, value string
		allowed     []string
	}{
		{"duplicate_email", b.DuplicateEmail, []string{Allow, Reject400Code4, Reject409}},
		{"duplicate_workflow", b.DuplicateWorkflow, []string{Reject400, ReturnExisting, Allow}},
		{"collection_patch", b.CollectionPatch, []string{Append, Replace}},
		{"duplicate_entry_location", b.DuplicateEntryLocation, []string{Existing, Absent}},
		{"status_by_value", b.StatusByValue, []string{Accepted, Refused, Ignored, IgnoredWarn}},
		{"status_on_create", b.StatusOnCreate, []string{Accepted, Ignored}},
		{"unknown_field", b.UnknownField, []string{Warn, Refuse}},
		{"entry_problem_names", b.EntryProblemNames, []string{Path, Child, Collection, None}},
		{"folder", b.Folder, []string{Shown, Hidden}},
		{"entry_primary", b.EntryPrimary, []string{Absent, Present}},
		{"patch_location", b.PatchLocation, []string{Present, Absent}},
		{"transaction_header", b.TransactionHeader, []string{Present, Absent}},
		{"web_services", b.WebServices, []string{Granted, Refused}},
		{"missing_status", b.MissingStatus, []string{First, None}},
		{"unknown_list_value", b.UnknownListValue, []string{Refuse, Warn, WarnCollection}},
		{"overlong_text", b.OverlongText, []string{Refuse, Truncate}},
		{"warning_carrier", b.WarningCarrier, []string{Both, Header, Body}},
		{"retry_after", b.RetryAfter, []string{Absent, Present}},
		{"search_email_case", b.SearchEmailCase, []string{Sensitive, Insensitive}},
		{"people_in_search", b.PeopleInSearch, []string{Everybody, Nobody}},
		{"text_values", b.TextValues, []string{First, Any}},
		{"group_or", b.GroupOr, []string{Any, First, Last, Refused}},
		{"empty_search", b.EmptySearch, []string{EmptyList, ErrorsObject, Errors404, Uncoded}},
		{"email_view", b.EmailView, []string{Shown, Hidden}},
		{"pair_search", b.PairSearch, []string{Finds, Misses, Denied, Refused}},
		{"pair_route", b.PairRoute, []string{Present, Absent, Denied, EmptyObject}},
	} {
		if s.value != "" && !slices.Contains(s.allowed, s.value) {
			return fmt.Errorf("behaviour.%s: %q is not one of %v", s.name, s.value, s.allowed)
		}
	}
	if b.PatchStatus != 0 && b.PatchStatus != http.StatusNoContent && b.PatchStatus != http.StatusOK {
		return fmt.Errorf("behaviour.patch_status: %d is neither 204 nor 200", b.PatchStatus)
	}
	for name, status := range map[string]int{
		"quota_status": b.QuotaStatus, "blocked_ip_status": b.BlockedIPStatus, "missing_right_status": b.MissingRightStatus,
		"web_services_status": b.WebServicesStatus,
	} {
		if status != 0 && (status < 400 || status > 599) {
			return fmt.Errorf("behaviour.%s: %d is not a status of refusals", name, status)
		}
	}
	return nil
}
