package flows

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// people are made up. The first dozen can be exported.
var people = []string{
	"Ana,Duarte", "Ben,Okoro", "Chloe,Marchetti", "Dmitri,Haldane", "Esi,Boateng", "Farid,Naderi",
	"Greta,Lindqvist", "Hugo,Castellan", "Ines,Carvalho", "Jonas,Weber", "Keiko,Arai", "Liam,Gallagher",
	"Mina,Kato", "Noor,Aziz", "Otto,Brandt",
}

const exported = 12

// address is the e-mail of one of the people.
func address(i int) string {
	return strings.ToLower(strings.ReplaceAll(people[i], ",", ".")) + "@example.com"
}

// csv is a file of some of the people, from one to before another.
func csv(from, to int) string {
	var text strings.Builder
	text.WriteString("id,first_name,last_name,email\n")
	for i := from; i < to; i++ {
		fmt.Fprintf(&text, "%s,%s,%s\n", id(i), people[i], address(i))
	}
	return text.String()
}

// id is that of one of the people, as the exporting system has it.
func id(i int) string { return fmt.Sprintf("c-%03d", i+1) }

// candidatesFile is the dozen, with two rows that are refused.
func candidatesFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "candidates.csv")
	text := csv(0, exported) + "c-101,Pia,Sorensen,\nc-102,Raul,Ibarra,raul at example.com\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
