// Package readback compares what exports sent with what iCIMS has: a sample of exported
// people and workflows is read back. What was sent is known by keyed digests alone, and
// what is read is neither stored nor shown.
package readback
