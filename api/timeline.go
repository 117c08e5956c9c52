package api

import (
	"github.com/seekout/icims-export/internal/prose"
	"github.com/seekout/icims-export/operate"
)

// timelineWriter returns the writer of timelines for API callers. It leaves out iCIMS's messages,
// which may repeat personal data.
func timelineWriter() operate.TimelineWriter { return operate.TimelineWriter{Clock: prose.UTC} }
