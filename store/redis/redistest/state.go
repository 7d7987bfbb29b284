package redistest

import (
	"iter"

	"github.com/tidwall/btree"
)

// state is a flotilla.State in memory.
type state struct{ pairs btree.Map[string, []byte] }

func (s *state) Get(key []byte) ([]byte, bool) { return s.pairs.Get(string(key)) }

func (s *state) Set(key, value []byte) {
	s.pairs.Set(string(key), append(make([]byte, 0, len(value)), value...))
}

func (s *state) Delete(key []byte) { s.pairs.Delete(string(key)) }

func (s *state) DeleteRange(start, end []byte) {
	var doomed []string
	for key := range s.Scan(start, end) {
		doomed = append(doomed, string(key))
	}
	for _, key := range doomed {
		s.pairs.Delete(key)
	}
}

func (s *state) Scan(start, end []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(key, value []byte) bool) {
		s.pairs.Ascend(string(start), func(key string, value []byte) bool {
			return (end == nil || key < string(end)) && yield([]byte(key), value)
		})
	}
}

func (s *state) ScanBack(start, end []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(key, value []byte) bool) {
		visit := func(key string, value []byte) bool {
			if end != nil && key >= string(end) {
				return true
			}
			return key >= string(start) && yield([]byte(key), value)
		}
		if end == nil {
			s.pairs.Reverse(visit)
			return
		}
		s.pairs.Descend(string(end), visit)
	}
}
