package icims

import (
	"strconv"
	"strings"
)

// The IDs of iCIMS records within one customer. iCIMS sends both numbers and strings (API sheet
// §7).
type (
	PersonID   int64
	WorkflowID int64
	JobID      int64
)

func (id PersonID) String() string   { return strconv.FormatInt(int64(id), 10) }
func (id WorkflowID) String() string { return strconv.FormatInt(int64(id), 10) }
func (id JobID) String() string      { return strconv.FormatInt(int64(id), 10) }

// UnmarshalJSON accepts 1000, "1000" and null, which leaves the ID unchanged.
func (id *PersonID) UnmarshalJSON(b []byte) error { return unmarshalID((*int64)(id), b) }

// UnmarshalJSON accepts 1000, "1000" and null, which leaves the ID unchanged.
func (id *WorkflowID) UnmarshalJSON(b []byte) error { return unmarshalID((*int64)(id), b) }

// UnmarshalJSON accepts 1000, "1000" and null, which leaves the ID unchanged.
func (id *JobID) UnmarshalJSON(b []byte) error { return unmarshalID((*int64)(id), b) }

func unmarshalID(dst *int64, b []byte) error {
	if string(b) == "null" {
		return nil
	}
	id, err := parseID(b)
	if err == nil {
		*dst = id
	}
	return err
}

// errID does not contain the text that could not be read.
var errID error = detail("ID is not a positive integer")

// parseID reads a positive number, quoted or not.
func parseID(b []byte) (int64, error) {
	s := string(b)
	if len(s) >= 2 && s[0] == '"' && s[len(s)-1] == '"' {
		s = strings.TrimSpace(s[1 : len(s)-1])
	}
	if !isNumber(s) {
		return 0, errID
	}
	id, err := strconv.ParseInt(s, 10, 64)
	if err != nil || id <= 0 {
		return 0, errID
	}
	return id, nil
}
