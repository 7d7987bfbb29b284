package cluster_test

import "testing"

// TestHistogramsAgreeWithCounters: each synced batch, entry and application is in
// its histogram once.
func TestHistogramsAgreeWithCounters(t *testing.T) {
	f := newFleet(t, 3, 1)
	const appends = 20
	for i := range appends {
		if _, err := f.appendTo(i%3, 'k', 'x'); err != nil {
			t.Fatal(err)
		}
	}
	for i := range 3 {
		if _, err := f.read(i, 'k'); err != nil { // all of it is applied here
			t.Fatal(err)
		}
		st := f.nodes[i].server.Status()
		if n := st.Disk.Syncs.Count(); n != st.Disk.Appends || st.Disk.Syncs.Sum != st.Disk.SyncSeconds || n == 0 {
			t.Errorf("%d syncs of %v s, but %d batches of %v s", n, st.Disk.Syncs.Sum, st.Disk.Appends, st.Disk.SyncSeconds)
		}
		if st.EntrySizes.Sum < appends || st.EntrySizes.Count() == 0 || st.EntrySizes.Sum < float64(st.Commands) {
			t.Errorf("entries of %v commands in all, of which %d were the machines'", st.EntrySizes.Sum, st.Commands)
		}
		if n := st.TurnEntries.Count(); n == 0 || n > st.Disk.Appends || st.TurnEntries.Sum < appends/2 {
			t.Errorf("%d writes of %v entries in %d batches", n, st.TurnEntries.Sum, st.Disk.Appends)
		}
		if n := st.ApplySeconds.Count(); n == 0 || st.ApplySeconds.Sum <= 0 {
			t.Errorf("%d times applied in %v s", n, st.ApplySeconds.Sum)
		}
	}
}
