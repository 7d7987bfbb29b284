package cluster

import (
	"fmt"

	"flotilla/consensus"
)

// StatusWithHashes is Status with the hash of each group's copy here, and the index
// that it is of as the applied one: copies that are at the same index must have the same
// hash. It reads all data, beside the loop; one such question is answered at a time.
func (s *Server) StatusWithHashes() Status {
	s.hashing.Lock()
	defer s.hashing.Unlock()
	st := s.Status()
	hosted := s.core.published.Load().hosted
	for i := range st.Groups {
		if h, isHere := hosted[st.Groups[i].Group]; isHere {
			st.Groups[i].addHash(h.state)
		}
	}
	return st
}

// addHash leaves the hash empty if the copy can not be read: its node is about to say why.
func (g *GroupStatus) addHash(state consensus.State) {
	view := state.View(true)
	defer view.Close()
	hash := consensus.Hash(view)
	if view.Err() == nil {
		g.Applied, g.Hash = view.Mark().Index, fmt.Sprintf("%016x", hash)
	}
}
