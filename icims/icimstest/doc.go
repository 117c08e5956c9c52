// Package icimstest simulates iCIMS in memory: an http.Handler that responds as the iCIMS Talent
// Platform does and refuses what iCIMS would refuse.
//
// It is hostile by default, within what iCIMS may legally do: responses are sometimes slow, IDs
// arrive as numbers or strings, creates may carry warnings, unknown fields and headers appear, and
// portal rows are in descending order. Damage (lost responses, resets, 5xx, lagging searches) is
// enabled by rate with [Faults] or by call with a [Rule].
//
// The package is based on the iCIMS documentation alone and imports nothing of this module, so it
// checks the client independently.
package icimstest
