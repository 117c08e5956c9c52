// Package icimstest is an iCIMS in memory: an http.Handler that answers as the
// iCIMS Talent Platform does and refuses what iCIMS would refuse.
//
// It is hostile by default, within what iCIMS may legally do: answers are slow
// now and then, ids arrive as numbers or as strings, creates may carry
// warnings, unknown fields and headers appear, portal rows come in descending
// order. Damage (lost answers, resets, 5xx, lagging searches) is switched on
// with [Faults] by rate or with a [Rule] by call.
//
// The package is written from the iCIMS documentation alone and imports
// nothing of this module, so that it is an independent check of the client.
package icimstest
