package figures

import (
	"fmt"
	"math"
	"slices"
)

// Sample is one figure measured several times.
type Sample []float64

// Exactly returns a sample of one value.
func Exactly(v float64) Sample { return Sample{v} }

// Median returns the median; NaN if empty.
func (s Sample) Median() float64 {
	n := len(s)
	if n == 0 {
		return math.NaN()
	}
	sorted := slices.Sorted(slices.Values(s))
	if n%2 == 0 {
		return (sorted[n/2-1] + sorted[n/2]) / 2
	}
	return sorted[n/2]
}

// Quantile returns the smallest value that at least the share q (0 to 1) of the sample does not
// exceed; NaN if empty.
func (s Sample) Quantile(q float64) float64 {
	n := len(s)
	if n == 0 {
		return math.NaN()
	}
	i := int(math.Ceil(q*float64(n))) - 1
	return slices.Sorted(slices.Values(s))[min(max(i, 0), n-1)]
}

// Text formats the median, and the extremes of several values.
func (s Sample) Text(format, unit string) string {
	text := fmt.Sprintf(format, s.Median()) + unit
	if len(s) > 1 {
		text += fmt.Sprintf(" ("+format+" to "+format+")", slices.Min(s), slices.Max(s))
	}
	return text
}

// Per divides pairs of neighboring runs, which had the same noise.
func (s Sample) Per(other Sample) Sample {
	ratios := make(Sample, len(s))
	for i := range s {
		ratios[i] = s[i] / other[i]
	}
	return ratios
}

// Minus subtracts pairs of neighboring runs.
func (s Sample) Minus(other Sample) Sample {
	rest := make(Sample, len(s))
	for i := range s {
		rest[i] = s[i] - other[i]
	}
	return rest
}

// Jain returns the fairness index of shares: 1 if all are equal, 1/n if one has everything.
func Jain(shares []float64) float64 {
	sum, squares := 0.0, 0.0
	for _, x := range shares {
		sum += x
		squares += x * x
	}
	return sum * sum / (float64(len(shares)) * squares)
}

// Times multiplies each value.
func (s Sample) Times(factor float64) Sample {
	products := make(Sample, len(s))
	for i, v := range s {
		products[i] = factor * v
	}
	return products
}
