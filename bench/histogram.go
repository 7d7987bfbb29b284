package bench

import (
	"math/bits"
	"time"
)

// histogram counts durations in buckets whose width is a 32nd of their value, so
// that a quantile is right within about three in a hundred at any scale:
//
//	nanoseconds   0 … 63   64 … 127   128 … 255   …
//	bucket width     1         2          4       …   32 buckets in each range
type histogram struct {
	counts  [(64 - subBits) << subBits]uint64
	total   uint64
	longest time.Duration
}

const subBits = 5

func bucketOf(nanoseconds uint64) int {
	shift := max(bits.Len64(nanoseconds)-subBits-1, 0)
	return shift<<subBits + int(nanoseconds>>shift)
}

// middleOf returns the middle of a bucket.
func middleOf(bucket int) time.Duration {
	shift := max(bucket>>subBits-1, 0)
	low := uint64(bucket-shift<<subBits) << shift
	return time.Duration(low + (uint64(1)<<shift)/2)
}

func (h *histogram) add(d time.Duration) {
	d = max(d, 0)
	h.counts[bucketOf(uint64(d))]++
	h.total++
	h.longest = max(h.longest, d)
}

func (h *histogram) merge(o *histogram) {
	for i, n := range o.counts {
		h.counts[i] += n
	}
	h.total += o.total
	h.longest = max(h.longest, o.longest)
}

// quantile returns the duration that a share q of all was not longer than; zero if
// there were none.
func (h *histogram) quantile(q float64) time.Duration {
	rank := uint64(q * float64(h.total))
	var seen uint64
	for i, n := range h.counts {
		seen += n
		if seen > rank {
			return min(middleOf(i), h.longest)
		}
	}
	return h.longest
}
