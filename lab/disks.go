package lab

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"

	"flotilla"
	"flotilla/lab/powercut"
	"flotilla/scenario"
	"flotilla/supervisor"
)

// ErrNoPowerCuts says that this machine can not do what Lab.PowerCuts asks for.
var ErrNoPowerCuts = powercut.ErrUnavailable

// disks are the file systems on which the nodes' data lies when power can be cut: one
// for each node, at its folder's data. What lies beside it is on the machine's own disk:
// what the node has printed, and its node.json. A nil *disks is none.
type disks struct {
	mounted map[flotilla.NodeID]*powercut.FS
}

// mountDisks mounts one in each node's folder, which it makes. What the disks hold while
// they are mounted lies in backing.
func mountDisks(folder func(flotilla.NodeID) string, backing string, nodes []supervisor.NodePlan) (*disks, error) {
	d := &disks{mounted: map[flotilla.NodeID]*powercut.FS{}}
	for _, n := range nodes {
		dir := filepath.Join(folder(n.Node), dataDir)
		err := os.MkdirAll(dir, 0o700)
		if err == nil {
			d.mounted[n.Node], err = powercut.Mount(dir, filepath.Join(backing, n.Name()), powercut.Options{})
		}
		if err != nil {
			delete(d.mounted, n.Node)
			return nil, errors.Join(fmt.Errorf("--power-cuts: %w", err), d.unmount())
		}
	}
	return d, nil
}

// cut cuts the power of nodes' disks. Of what was not synced nothing is left, or a
// beginning.
func (d *disks) cut(nodes []flotilla.NodeID, loss scenario.Loss, chance *rand.Rand) error {
	var errs []error
	for _, node := range nodes {
		disk := d.mounted[node]
		if loss == scenario.LoseSome {
			errs = append(errs, disk.CutTorn(chance.Uint64()))
		} else {
			errs = append(errs, disk.Cut())
		}
	}
	return errors.Join(errs...)
}

// restore gives the power back. The processes that used the disks are gone.
func (d *disks) restore(nodes []flotilla.NodeID) {
	for _, node := range nodes {
		d.mounted[node].Restore()
	}
}

// keep copies what the disks hold, since unmounting empties them.
func (d *disks) keep(into string) error {
	if d == nil {
		return nil
	}
	var errs []error
	for node, disk := range d.mounted {
		errs = append(errs, os.CopyFS(filepath.Join(into, node.String()), os.DirFS(disk.Dir())))
	}
	return errors.Join(errs...)
}

// unmount ends the disks. No process may use them any more.
func (d *disks) unmount() error {
	if d == nil {
		return nil
	}
	var errs []error
	for _, disk := range d.mounted {
		errs = append(errs, disk.Unmount())
	}
	return errors.Join(errs...)
}

// report says what was lost, and whether a cut was kinder than it should have been.
func (d *disks) report(r *Result) {
	if d == nil {
		return
	}
	var sum powercut.Stats
	for _, disk := range d.mounted {
		s := disk.Stats()
		sum.Cuts += s.Cuts
		sum.DroppedBytes += s.DroppedBytes
		sum.DroppedNames += s.DroppedNames
		sum.EarlyBytes += s.EarlyBytes
	}
	r.Figures.PowerCuts = int(sum.Cuts)
	r.note("%d power cuts took %d bytes and %d names that were not synced", sum.Cuts, sum.DroppedBytes, sum.DroppedNames)
	if sum.EarlyBytes > 0 {
		r.note("%d bytes were made durable early, for want of memory: the cuts were kinder than meant", sum.EarlyBytes)
	}
}
