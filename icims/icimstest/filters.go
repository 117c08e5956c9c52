package icimstest

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// filterDef is one filter of a record type; exactly one getter is set.
type filterDef[R any] struct {
	text func(R) string
	num  func(R) int64
	list func(R) []string // node ids
	date func(R) time.Time
	// csv means that one value may contain several comma-separated numbers.
	csv bool
	// foldExact makes == ignore case.
	foldExact func(R) bool
}

// compile turns a search into a predicate over records and removes filters that the behaviour
// ignores. A filter unknown to the record type rejects the whole search.
func compile[R any](g *group, defs map[string]filterDef[R], b Behavior) (func(R) bool, *problem) {
	if g.any {
		switch b.GroupOr {
		case Refused:
			return nil, searchProblem(msgBadGroupOp + "|]")
		case First:
			g.only(func(n int) int { return 0 })
		case Last:
			g.only(func(n int) int { return n - 1 })
		}
	}
	var parts []func(R) bool
	for i := range g.filters {
		f := g.filters[i]
		def, known := defs[f.name]
		if !known {
			return nil, searchProblem(msgBadFilter + f.name + "]")
		}
		if def.text != nil && b.TextValues == First {
			f.values = f.values[:1]
			g.filters[i] = f
		}
		part, p := compileFilter(f, def)
		if p != nil {
			return nil, p
		}
		parts = append(parts, part)
	}
	for i := range g.children {
		part, p := compile(&g.children[i], defs, b)
		if p != nil {
			return nil, p
		}
		parts = append(parts, part)
	}
	if g.any {
		return func(r R) bool {
			return len(parts) == 0 || slices.ContainsFunc(parts, func(f func(R) bool) bool { return f(r) })
		}, nil
	}
	return func(r R) bool {
		for _, part := range parts {
			if !part(r) {
				return false
			}
		}
		return true
	}, nil
}

// only reduces a group to one filter, or to one child if it has no filters. which returns its
// index, given how many there are.
func (g *group) only(which func(n int) int) {
	switch filters, children := len(g.filters), len(g.children); {
	case filters > 0:
		g.filters, g.children = g.filters[which(filters):][:1], nil
	case children > 0:
		g.children = g.children[which(children):][:1]
	}
}

func compileFilter[R any](f filter, def filterDef[R]) (func(R) bool, *problem) {
	badOp := searchProblem(msgBadOperator + f.op + "]")
	switch {
	case def.text != nil:
		return textFilter(f, def, badOp)
	case def.num != nil:
		return numberFilter(f, def, badOp)
	case def.list != nil:
		if f.op != "=" && f.op != "!=" {
			return nil, badOp
		}
		want := f.op == "="
		return func(r R) bool {
			return slices.ContainsFunc(def.list(r), func(id string) bool { return slices.Contains(f.values, id) }) == want
		}, nil
	}
	return dateFilter(f, def, badOp)
}

// textFilter: == compares exactly, = means contains; several values mean any of them.
func textFilter[R any](f filter, def filterDef[R], badOp *problem) (func(R) bool, *problem) {
	lower := make([]string, len(f.values))
	for i, v := range f.values {
		lower[i] = strings.ToLower(v)
	}
	want := !strings.HasPrefix(f.op, "!")
	switch f.op {
	case "==", "!==":
		exact := make(map[string]bool, len(f.values))
		folded := make(map[string]bool, len(f.values))
		for i, v := range f.values {
			exact[v], folded[lower[i]] = true, true
		}
		return func(r R) bool {
			v := def.text(r)
			if def.foldExact != nil && def.foldExact(r) {
				return folded[strings.ToLower(v)] == want
			}
			return exact[v] == want
		}, nil
	case "=", "!=":
		return func(r R) bool {
			v := strings.ToLower(def.text(r))
			return slices.ContainsFunc(lower, func(part string) bool { return strings.Contains(v, part) }) == want
		}, nil
	}
	return nil, badOp
}

// numberFilter: an empty value means the start of the ID range.
func numberFilter[R any](f filter, def filterDef[R], badOp *problem) (func(R) bool, *problem) {
	var numbers []int64
	for _, v := range f.values {
		parts := []string{v}
		if def.csv {
			parts = strings.Split(v, ",")
		}
		for _, part := range parts {
			n := int64(0)
			if part = strings.TrimSpace(part); part != "" {
				var err error
				if n, err = strconv.ParseInt(part, 10, 64); err != nil {
					return nil, searchProblem(msgUnparsable)
				}
			}
			numbers = append(numbers, n)
		}
	}
	set := make(map[int64]bool, len(numbers))
	for _, n := range numbers {
		set[n] = true
	}
	switch f.op {
	case "=":
		return func(r R) bool { return set[def.num(r)] }, nil
	case "!=":
		return func(r R) bool { return !set[def.num(r)] }, nil
	}
	hit, known := ordered(f.op)
	if !known {
		return nil, badOp
	}
	return func(r R) bool {
		v := def.num(r)
		return slices.ContainsFunc(numbers, func(n int64) bool { return hit(compareInt(v, n)) })
	}, nil
}

func compareInt(a, b int64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func ordered(op string) (func(int) bool, bool) {
	switch op {
	case "<":
		return func(c int) bool { return c < 0 }, true
	case "<=":
		return func(c int) bool { return c <= 0 }, true
	case ">":
		return func(c int) bool { return c > 0 }, true
	case ">=":
		return func(c int) bool { return c >= 0 }, true
	}
	return nil, false
}

// dateFilter ignores a malformed date, so the search returns everything.
func dateFilter[R any](f filter, def filterDef[R], badOp *problem) (func(R) bool, *problem) {
	hit, isOrder := ordered(f.op)
	if !isOrder && f.op != "=" && f.op != "!=" {
		return nil, badOp
	}
	everything := func(R) bool { return true }
	from, length, parsed := filterDate(f.values[0])
	if !parsed {
		return everything, nil
	}
	to := from.Add(length)
	if len(f.secondary) > 0 {
		end, length, parsed := filterDate(f.secondary[0])
		if !parsed {
			return everything, nil
		}
		to = end.Add(length)
	}
	if isOrder {
		return func(r R) bool { return hit(def.date(r).Compare(from)) }, nil
	}
	want := f.op == "="
	return func(r R) bool {
		at := def.date(r)
		return (!at.Before(from) && at.Before(to)) == want
	}, nil
}

// filterDate parses a filter's date and the period it covers.
func filterDate(s string) (time.Time, time.Duration, bool) {
	if at, err := time.Parse("2006-01-02 03:04 PM", s); err == nil {
		return at, time.Minute, true
	}
	if at, err := time.Parse(time.DateOnly, s); err == nil {
		return at, 24 * time.Hour, true
	}
	return time.Time{}, 0, false
}
