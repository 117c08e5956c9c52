package api

import (
	"github.com/seekout/icims-export/admin"
	"github.com/seekout/icims-export/internal/prose"
)

// timelineWriter returns the writer of timelines for API callers. It leaves out iCIMS's messages,
// which may repeat personal data.
func timelineWriter() admin.TimelineWriter { return admin.TimelineWriter{Clock: prose.UTC} }
