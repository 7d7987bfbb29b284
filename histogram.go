package flotilla

// Histogram counts values by how large they are. It is plain memory of one owner;
// a copy is a snapshot. The zero value counts nothing.
type Histogram struct {
	// Bounds are the buckets' upper ends, ascending; shared, and never changed.
	Bounds []float64
	// Counts[i] is how many values were at most Bounds[i] and above the one before;
	// Counts[len(Bounds)] is how many were larger than all.
	Counts [MaxBuckets + 1]uint64
	Sum    float64
}

// MaxBuckets is how many bounds a Histogram may have.
const MaxBuckets = 16

// NewHistogram returns an empty one.
func NewHistogram(bounds []float64) Histogram {
	Assert(len(bounds) <= MaxBuckets, "a histogram has %d bounds at most", MaxBuckets)
	return Histogram{Bounds: bounds}
}

// LatencyBounds are those of durations in seconds: 50 µs to 5 s.
func LatencyBounds() []float64 {
	return []float64{50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 100e-3, 250e-3, 500e-3, 1, 2.5, 5}
}

// SizeBounds are those of numbers of things: the powers of two up to 8192.
func SizeBounds() []float64 {
	bounds := make([]float64, 14)
	for i := range bounds {
		bounds[i] = float64(int(1) << i)
	}
	return bounds
}

// Observe counts a value.
func (h *Histogram) Observe(value float64) {
	if h.Bounds != nil {
		h.Counts[BucketOf(h.Bounds, value)]++
		h.Sum += value
	}
}

// BucketOf returns the index of a value's bucket.
func BucketOf(bounds []float64, value float64) int {
	i := 0
	for i < len(bounds) && value > bounds[i] {
		i++
	}
	return i
}

// Add counts all that another one has counted, which has the same bounds.
func (h *Histogram) Add(other *Histogram) {
	for i, n := range other.Counts {
		h.Counts[i] += n
	}
	h.Sum += other.Sum
}

// Count returns how many values were counted.
func (h *Histogram) Count() (n uint64) {
	for _, c := range h.Counts {
		n += c
	}
	return n
}
