package input

// Codes of problems that refuse a row. They are stable; docs/input.md lists each with its meaning
// and remedy.
const (
	codeNotText         = "not_text"
	codeNotUTF8         = "not_utf8"
	codeRowTooLong      = "row_too_long"
	codeNotJSON         = "not_json"
	codeTrailingData    = "trailing_data"
	codeNotObject       = "not_object"
	codeNestedTooDeep   = "nested_too_deep"
	codeArrayUnfinished = "array_unfinished"
	codeWrongType       = "wrong_type"
	codeFieldRepeated   = "field_repeated"
	codeHeaderUnknown   = "header_unknown"
	codeHeaderRepeated  = "header_repeated"
	codeHeaderAgain     = "header_again"
	codeRowTooWide      = "row_too_wide"
	codeQuoteOpen       = "quote_open"
	codeQuoteStray      = "quote_stray"

	codeIDMissing         = "id_missing"
	codeIDMalformed       = "id_malformed"
	codeIDPersonal        = "id_personal"
	codeIDReserved        = "id_reserved"
	codeFirstNameMissing  = "first_name_missing"
	codeLastNameMissing   = "last_name_missing"
	codeEmailMissing      = "email_missing"
	codeEmailMalformed    = "email_malformed"
	codeEmailSeveral      = "email_several"
	codeEmailAccents      = "email_accents"
	codeValueTooLong      = "value_too_long"
	codeControlCharacters = "control_characters"
	codeTooMany           = "too_many"
	codeDateMalformed     = "date_malformed"
	codeDateImpossible    = "date_impossible"
	codeDatesReversed     = "dates_reversed"
	codeLinkedInMalformed = "linkedin_malformed"
	codePhoneNoDigits     = "phone_no_digits"
	codePhoneRounded      = "phone_rounded"
)

// Codes of warnings: the row is accepted.
const (
	codeFieldUnknown   = "field_unknown"
	codeColumnUnknown  = "column_unknown"
	codeRowShort       = "row_short"
	codeCharactersLost = "characters_lost"
)

var refusingCodes = []string{
	codeNotText, codeNotUTF8, codeRowTooLong, codeNotJSON, codeTrailingData, codeNotObject,
	codeNestedTooDeep, codeArrayUnfinished, codeWrongType, codeFieldRepeated, codeHeaderUnknown,
	codeHeaderRepeated, codeHeaderAgain, codeRowTooWide, codeQuoteOpen, codeQuoteStray,
	codeIDMissing, codeIDMalformed, codeIDPersonal, codeIDReserved, codeFirstNameMissing, codeLastNameMissing,
	codeEmailMissing, codeEmailMalformed, codeEmailSeveral, codeEmailAccents, codeValueTooLong,
	codeControlCharacters, codeTooMany, codeDateMalformed, codeDateImpossible, codeDatesReversed,
	codeLinkedInMalformed, codePhoneNoDigits, codePhoneRounded,
}

var warningCodes = []string{codeFieldUnknown, codeColumnUnknown, codeRowShort, codeCharactersLost}
