package sim

import (
	"slices"

	"flotilla/cluster"
)

// newJournal returns the journal of a life that begins, or nil if none are kept.
func (n *node) newJournal() *cluster.Journal {
	if !n.w.opts.HasJournals {
		return nil
	}
	n.journal = cluster.NewJournal(n.id, func() int64 { return int64(n.told()) * 1000 })
	n.w.journals = append(n.w.journals, n.journal)
	return n.journal
}

// watch has the node's leaders choose entries to be followed.
func (n *node) watch() {
	if n.journal != nil {
		n.journal.Watch()
	}
}

// notes returns what all journals hold, in the order that their stamps give.
func (w *world) notes() (all []cluster.Note) {
	for _, j := range w.journals {
		all = append(all, j.Since(0)...)
	}
	slices.SortStableFunc(all, cluster.CompareNotes)
	return all
}
