package api

import (
	"github.com/seekout/icims-export/internal/prose"
	"github.com/seekout/icims-export/operate"
)

// teller tells stories to readers of whom nothing is known. iCIMS's own words are left
// out: they may repeat what was sent.
func teller() operate.Storyteller { return operate.Storyteller{Clock: prose.UTC} }
