package jobs

import (
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"

	"github.com/seekout/icims-export/store"
)

// strokes maps letters that Unicode does not decompose into a plain letter and an accent.
var strokes = strings.NewReplacer("ø", "o", "ł", "l", "đ", "d", "ð", "d", "þ", "th", "æ", "ae", "œ", "oe", "ı", "i", "ħ", "h")

// fold returns a text for comparison, without case and accents.
func fold(text string) string {
	ascii := true
	for i := range len(text) {
		ascii = ascii && text[i] < unicode.MaxASCII
	}
	if ascii {
		return strings.ToLower(text)
	}
	text = norm.NFKD.String(cases.Fold().String(text))
	text = strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Mn, r) {
			return -1
		}
		return r
	}, text)
	return strokes.Replace(text)
}

// index is the searchable text of jobs, in their order.
type index []string

func newIndex(jobs []store.ListedJob) index {
	lines := make(index, len(jobs))
	for i, j := range jobs {
		lines[i] = fold(j.Title + " " + j.Number + " " + j.Location)
	}
	return lines
}

// search returns a filter for jobs that contain all words of a text in title, number or location,
// in any order, or whose ID starts with the word.
func (x index) search(jobs []store.ListedJob, text string) func(place int) bool {
	words := strings.Fields(fold(text))
	return func(place int) bool {
		for _, word := range words {
			if !strings.Contains(x[place], word) && !strings.HasPrefix(strconv.FormatInt(jobs[place].ID, 10), word) {
				return false
			}
		}
		return true
	}
}
