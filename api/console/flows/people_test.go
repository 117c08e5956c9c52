package flows

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// people are generated. The first dozen can be exported.
var people = []string{
	"Ana,Duarte", "Ben,Okoro", "Chloe,Marchetti", "Dmitri,Haldane", "Esi,Boateng", "Farid,Naderi",
	"Greta,Lindqvist", "Hugo,Castellan", "Ines,Carvalho", "Jonas,Weber", "Keiko,Arai", "Liam,Gallagher",
	"Mina,Kato", "Noor,Aziz", "Otto,Brandt",
}

const exported = 12

// address returns the email of a person.
func address(i int) string {
	return strings.ToLower(strings.ReplaceAll(people[i], ",", ".")) + "@example.com"
}

// csv returns a file of the people from one index to before another.
func csv(from, to int) string {
	var text strings.Builder
	text.WriteString("id,first_name,last_name,email\n")
	for i := from; i < to; i++ {
		fmt.Fprintf(&text, "%s,%s,%s\n", id(i), people[i], address(i))
	}
	return text.String()
}

// id returns the ID of a person in the exporting system.
func id(i int) string { return fmt.Sprintf("c-%03d", i+1) }

// candidatesFile contains the dozen and two rows that are refused.
func candidatesFile(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "candidates.csv")
	text := csv(0, exported) + "c-101,Pia,Sorensen,\nc-102,Raul,Ibarra,raul at example.com\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
