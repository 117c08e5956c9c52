// Package readback compares what exports sent with what iCIMS has: it reads a sample of exported
// people and workflows. Sent values are stored only as keyed digests. Values read are neither
// stored nor shown.
package readback
