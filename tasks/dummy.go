package tasks

import (
	"strconv"
	"strings"
)

const dummyPrefix = "no-email-"

// DummyEmail is the made-up address of a candidate who has none. The number may
// be negative: DummyEmail(-352233856, "seekout.example.com") is
// "no-email--352233856@seekout.example.com".
func DummyEmail(number int32, domain string) string {
	return dummyPrefix + strconv.FormatInt(int64(number), 10) + "@" + domain
}

// IsDummyEmail reports whether addr is one that DummyEmail makes for domain.
// Letter case is ignored, since systems on the way may change it.
func IsDummyEmail(addr, domain string) bool {
	local, host, found := strings.Cut(addr, "@")
	if !found || !strings.EqualFold(host, domain) {
		return false
	}
	if len(local) < len(dummyPrefix) || !strings.EqualFold(local[:len(dummyPrefix)], dummyPrefix) {
		return false
	}
	digits := local[len(dummyPrefix):]
	n, err := strconv.ParseInt(digits, 10, 32)
	return err == nil && strconv.FormatInt(n, 10) == digits
}
