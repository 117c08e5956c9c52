package icimstest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strconv"
)

var errNotObject = errors.New("the body is not a JSON object")

// decodeObject decodes a body that must be exactly one JSON object. Numbers stay json.Number.
func decodeObject(body []byte) (map[string]any, error) {
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	var out map[string]any
	if err := dec.Decode(&out); err != nil {
		return nil, err
	}
	if _, err := dec.Token(); err != io.EOF || out == nil {
		return nil, errNotObject
	}
	return out, nil
}

// object decodes the body of a write.
func (c *call) object() (map[string]any, *answer) {
	body, err := decodeObject(c.body)
	if err != nil {
		a := badRequest(problem{code: codeOther, detail: "The request body is not valid JSON."})
		return nil, &a
	}
	return body, nil
}

// asInt reads an integer; quoted IDs are not integers.
func asInt(v any) (int64, bool) {
	n, isNumber := v.(json.Number)
	if !isNumber {
		return 0, false
	}
	i, err := strconv.ParseInt(n.String(), 10, 64)
	return i, err == nil
}

// atoi parses an ID in a path, or returns 0, which is never an ID.
func atoi(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
