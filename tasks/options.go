package tasks

// Options are the two choices a producer has for a batch.
type Options struct {
	// GenerateDummyEmails accepts candidates without an e-mail address and
	// gives them a made-up one, since iCIMS does not take a person without.
	GenerateDummyEmails bool `json:"generate_dummy_emails"`
	// IncludePreviouslyExported sends candidates again that an earlier export
	// already delivered, instead of skipping them.
	IncludePreviouslyExported bool `json:"include_previously_exported"`
}
