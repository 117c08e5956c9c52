package input

import (
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// Cleaned returns the candidate as it is exported: values are trimmed and composed, and empty
// phones, positions and schools are removed. It shares no slices with c.
func (c Candidate) Cleaned() Candidate {
	c = c.trimmed()
	c.Phones = kept(c.Phones, func(p Phone) bool { return p.Number != "" })
	c.WorkExperience = kept(c.WorkExperience, func(w WorkExperience) bool { return w != WorkExperience{} })
	c.Education = kept(c.Education, func(e Education) bool { return e != Education{} })
	return c
}

// trimmed returns the candidate with every value trimmed, inner line breaks and tabs replaced by
// spaces, and text composed (NFC). It shares no slices with c, and keeps empty entries, so that
// indexes in problems match the input.
func (c Candidate) trimmed() Candidate {
	c.ID = clean(c.ID)
	c.FirstName = clean(c.FirstName)
	c.LastName = clean(c.LastName)
	c.Email = clean(c.Email)
	c.LinkedInURL = clean(c.LinkedInURL)
	c.Phones = mapped(c.Phones, func(p Phone) Phone {
		return Phone{Number: clean(p.Number), Type: clean(p.Type)}
	})
	c.WorkExperience = mapped(c.WorkExperience, func(w WorkExperience) WorkExperience {
		return WorkExperience{Employer: clean(w.Employer), Title: clean(w.Title), Start: clean(w.Start), End: clean(w.End)}
	})
	c.Education = mapped(c.Education, func(e Education) Education {
		return Education{School: clean(e.School), Degree: clean(e.Degree)}
	})
	return c
}

// clean trims white space and the invisible characters that copying from web pages and spreadsheets
// adds to values.
func clean(s string) string {
	if isPlain(s) && !strings.HasPrefix(s, " ") && !strings.HasSuffix(s, " ") {
		return s
	}
	s = strings.TrimFunc(s, func(r rune) bool {
		return unicode.IsSpace(r) || r == '\u200b' || r == '\u2060' || r == '\ufeff'
	})
	if strings.IndexFunc(s, breaksLine) >= 0 {
		s = strings.Join(strings.Fields(s), " ")
	}
	return norm.NFC.String(s)
}

// isPlain reports whether s is only printable ASCII, as most values are.
func isPlain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

func breaksLine(r rune) bool {
	return r >= '\t' && r <= '\r' || r == '\u0085' || r == '\u2028' || r == '\u2029'
}

func mapped[T any](in []T, f func(T) T) []T {
	if len(in) == 0 {
		return nil
	}
	out := make([]T, len(in))
	for i, v := range in {
		out[i] = f(v)
	}
	return out
}

// kept filters in place; the caller must own in.
func kept[T any](in []T, keep func(T) bool) []T {
	out := in[:0]
	for _, v := range in {
		if keep(v) {
			out = append(out, v)
		}
	}
	if len(out) == 0 {
		return nil
	}
	return out
}
