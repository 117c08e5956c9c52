package icimstest

import (
	"slices"
	"strings"
)

// emailIndex finds the people with an address, or with one that contains a given part, without a
// full scan. It may return people who had the address before.
type emailIndex struct {
	whole map[string][]int64 // by lower-case address
	tails map[string][]int64 // by the last characters before the @
}

func newEmailIndex() emailIndex {
	return emailIndex{whole: map[string][]int64{}, tails: map[string][]int64{}}
}

// tailLength is how many bytes before the @ are indexed: enough to distinguish most addresses, and
// short enough for most to have them.
const tailLength = 4

// add records that a person has an address.
func (x emailIndex) add(email string, id int64) {
	email = strings.ToLower(email)
	if email == "" || slices.Contains(x.whole[email], id) {
		return
	}
	x.whole[email] = append(x.whole[email], id)
	for i := tailLength; i < len(email); i++ {
		if email[i] == '@' {
			tail := email[i-tailLength : i]
			x.tails[tail] = append(x.tails[tail], id)
		}
	}
}

// exactly returns the people with the address, ignoring case.
func (x emailIndex) exactly(email string) []int64 { return x.whole[strings.ToLower(email)] }

// containing returns everyone whose address may contain the value, ignoring case. It returns false
// if the value has too little text before an @.
func (x emailIndex) containing(value string) ([]int64, bool) {
	value = strings.ToLower(value)
	for i := tailLength; i < len(value); i++ {
		if value[i] == '@' {
			return x.tails[value[i-tailLength:i]], true
		}
	}
	return nil, false
}

// candidates returns, in ascending order, the people who may satisfy a search that restricts one of
// the named filters to addresses: in one filter, or in each of a group with "|".
func (x emailIndex) candidates(g group, names ...string) ([]int64, bool) {
	var ids []int64
	some := false
	take := func(found []int64, known bool) {
		if known {
			ids, some = append(ids, found...), true
		}
	}
	for _, f := range g.filters {
		found, known := x.ofFilter(f, names)
		if !known && g.any {
			return nil, false
		}
		if take(found, known); some && !g.any {
			return sorted(ids), true
		}
	}
	for _, child := range g.children {
		found, known := x.candidates(child, names...)
		if !known && g.any {
			return nil, false
		}
		if take(found, known); some && !g.any {
			return sorted(ids), true
		}
	}
	return sorted(ids), some
}

// ofFilter returns the people who may satisfy one filter, if its name is in names.
func (x emailIndex) ofFilter(f filter, names []string) ([]int64, bool) {
	if !slices.Contains(names, f.name) || slices.Contains(f.values, "") || f.op != "==" && f.op != "=" {
		return nil, false
	}
	var ids []int64
	for _, v := range f.values {
		found, known := x.exactly(v), true
		if f.op == "=" {
			found, known = x.containing(v)
		}
		if !known {
			return nil, false
		}
		ids = append(ids, found...)
	}
	return ids, true
}
