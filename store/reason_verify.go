package store

import "strings"

// verifyMark begins the reasons of connections that are codes of verifications. They
// are no reasons of exports.
const verifyMark = "verify_"

// VerifyReason is the code of a verification as a connection's state and history tell
// it.
func VerifyReason(code string) Reason { return Reason(verifyMark + code) }

// verifyInfo explains such a reason by its code.
func (r Reason) verifyInfo() (ReasonInfo, bool) {
	code, ok := strings.CutPrefix(string(r), verifyMark)
	return ReasonInfo{
		Title: "its verification found: " + strings.ReplaceAll(code, "_", " "),
		Hint:  "Look at the verification, or verify it again: docs/verification.md explains `" + code + "`.",
	}, ok
}
