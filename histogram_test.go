package flotilla

import (
	"slices"
	"testing"
)

func TestHistogramCountsByBucket(t *testing.T) {
	h := NewHistogram([]float64{1, 2, 4})
	for _, value := range []float64{0, 1, 1.5, 2, 3, 4, 4.5, 1000} {
		h.Observe(value)
	}
	if want := []uint64{2, 2, 2, 2}; !slices.Equal(h.Counts[:4], want) || h.Count() != 8 || h.Sum != 1016 {
		t.Fatalf("%v, %d values, sum %v", h.Counts, h.Count(), h.Sum)
	}
	twice := h
	twice.Add(&h)
	if twice.Count() != 16 || twice.Sum != 2032 || h.Count() != 8 {
		t.Fatalf("added to itself: %d values, sum %v", twice.Count(), twice.Sum)
	}
	var none Histogram
	if none.Observe(1); none.Count() != 0 {
		t.Fatal("a histogram without bounds counts")
	}
}

func TestBoundsAscend(t *testing.T) {
	for _, bounds := range [][]float64{LatencyBounds(), SizeBounds()} {
		if !slices.IsSorted(bounds) || len(bounds) > MaxBuckets || len(slices.Compact(slices.Clone(bounds))) != len(bounds) {
			t.Fatal(bounds)
		}
	}
}
