package input

import "strings"

// ValidCustomer reports whether text can be an iCIMS customer ID: digits only, which is also safe
// in keys and queue names.
func ValidCustomer(text string) bool {
	return text != "" && len(text) <= 18 && strings.Trim(text, "0123456789") == ""
}

// TestCandidate is the candidate ID that verifications use. Producers must not use it.
const TestCandidate = "icims-export:test"
