package mapping

import (
	"regexp"
	"slices"
	"strings"
)

// Warning says that a value was not sent, or not sent as given, although the export succeeded. It
// is a code of a closed set and never contains candidate data. WarningFieldRefused carries the
// field name after a colon, as in "field_refused:workexperience"; so does WarningSaved.
type Warning string

// The warnings; see Text.
const (
	WarningTitleCut         Warning = "title_cut"
	WarningEmployerCut      Warning = "employer_cut"
	WarningPositionSkipped  Warning = "position_skipped"
	WarningPhoneTypeDropped Warning = "phone_type_dropped"
	WarningLinkedInSkipped  Warning = "linkedin_skipped"
	WarningStatusDropped    Warning = "status_dropped"
	WarningStatusLater      Warning = "status_later"
	WarningPersonMerged     Warning = "person_merged"
	WarningSeveralProfiles  Warning = "several_profiles"
	WarningFieldRefused     Warning = "field_refused"
	WarningNotUpdated       Warning = "employee_not_updated"
	WarningUpdateRefused    Warning = "update_refused"
	WarningSaved            Warning = "saved_with_warning"
	WarningFolderDropped    Warning = "folder_dropped"
	WarningFolderHidden     Warning = "folder_hidden"
	WarningEducationOwed    Warning = "education_owed"
	WarningExperienceOwed   Warning = "work_experience_owed"
	WarningIncomplete       Warning = "profile_incomplete"
)

var warningTexts = map[Warning]string{
	WarningTitleCut:         "A job title was cut to 64 characters.",
	WarningEmployerCut:      "An employer's name was cut to 128 characters.",
	WarningPositionSkipped:  "A position with neither employer nor title was left out.",
	WarningPhoneTypeDropped: "A phone number was sent without its type, which this iCIMS account does not have.",
	WarningLinkedInSkipped:  "The profile URL was left out: the connection names no field for it (linkedin_field).",
	WarningStatusLater:      "iCIMS ignored the status of the new workflow, so it was set by a second call.",
	WarningStatusDropped:    "The workflow may not have the connection's status: iCIMS did not accept it. Set the status's node ID in the connection.",
	WarningPersonMerged:     "The profile was merged with another in iCIMS, which was used instead.",
	WarningSeveralProfiles:  "iCIMS has several profiles with this email; one of them was used.",
	WarningFieldRefused:     "iCIMS refused a field; the rest was saved.",
	WarningNotUpdated:       "The profile belongs to an employee or hiring manager and was not changed.",
	WarningUpdateRefused:    "iCIMS refused to change the profile, so it keeps its data. Correct in iCIMS what the record lacks, or let the API user change people.",
	WarningSaved:            "iCIMS saved the record with a warning about a field.",
	WarningFolderDropped:    "iCIMS did not accept the connection's folder and chose another. Correct the folder, or move the profile.",
	WarningFolderHidden:     "iCIMS does not show the profile's folder. It may be an employee's, so the profile was not changed. Let the API user see the folder, or set missing_folder to candidate.",
	WarningEducationOwed:    "Education is missing or incomplete in iCIMS. A later export adds it if the profile has none.",
	WarningExperienceOwed:   "Work experience is missing or incomplete in iCIMS. A later export adds it if the profile has none.",
	WarningIncomplete:       "The profile was created, but not all of its data was sent before the export stopped.",
}

// Warnings returns all codes, sorted.
func Warnings() []Warning {
	all := make([]Warning, 0, len(warningTexts))
	for w := range warningTexts {
		all = append(all, w)
	}
	slices.Sort(all)
	return all
}

var fieldName = regexp.MustCompile(`^[a-z][a-z0-9_]{0,63}$`)

// About adds the name of the field. A name that iCIMS does not use for fields is dropped, since it
// may be something else.
func (w Warning) About(field string) Warning {
	if !fieldName.MatchString(field) {
		return w
	}
	return w + Warning(":"+field)
}

// Code returns the warning without the name of a field.
func (w Warning) Code() Warning {
	code, _, _ := strings.Cut(string(w), ":")
	return Warning(code)
}

// Text returns the warning as a sentence, or the code for a warning of an unknown version.
func (w Warning) Text() string {
	text, ok := warningTexts[w.Code()]
	if !ok {
		return string(w.Code())
	}
	if _, field, named := strings.Cut(string(w), ":"); named && fieldName.MatchString(field) {
		return strings.Replace(text, "a field", "the field "+field, 1)
	}
	return text
}

// WarningSet is a set of warnings that keeps their order.
type WarningSet []Warning

// Add adds warnings that are not in the set.
func (ws *WarningSet) Add(more ...Warning) {
	for _, w := range more {
		if !slices.Contains(*ws, w) {
			*ws = append(*ws, w)
		}
	}
}

// Owes reports whether part of the person's history is missing in iCIMS.
func (ws WarningSet) Owes() bool { return len(ws.Owed()) > 0 }

// Owed returns the warnings about parts of the person's history that are missing in iCIMS.
func (ws WarningSet) Owed() []Warning {
	var owed []Warning
	for _, w := range ws {
		if w == WarningEducationOwed || w == WarningExperienceOwed {
			owed = append(owed, w)
		}
	}
	return owed
}

// Codes encodes the set for the ledger.
func (ws WarningSet) Codes() string {
	codes := make([]string, len(ws))
	for i, w := range ws {
		codes[i] = string(w)
	}
	return strings.Join(codes, ",")
}

// ParseWarnings decodes the codes stored in the ledger.
func ParseWarnings(codes string) []Warning {
	var ws WarningSet
	for code := range strings.SplitSeq(codes, ",") {
		if code != "" {
			ws.Add(Warning(code))
		}
	}
	return ws
}
