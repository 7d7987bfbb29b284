package console

import (
	"flotilla"
	"flotilla/cluster"

	"github.com/prometheus/client_golang/prometheus"
)

// collector makes metrics of a node's status whenever Prometheus asks: nothing
// is counted twice, and nothing is counted while nobody asks.
type collector struct {
	status func() cluster.Status
	node   []nodeMetric
	shape  []shapeMetric
	group  []groupMetric
	lag    *prometheus.Desc
	alive  *prometheus.Desc
}

// nodeMetric is one number of a node.
type nodeMetric struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	of   func(*cluster.Status) float64
}

// shapeMetric is one histogram of a node. None has labels: there are as many series
// as buckets.
type shapeMetric struct {
	desc *prometheus.Desc
	of   func(*cluster.Status) *flotilla.Histogram
}

// groupMetric is one number of a group that the node holds, labelled with the group.
type groupMetric struct {
	desc *prometheus.Desc
	of   func(*cluster.GroupStatus) float64
}

func newCollector(status func() cluster.Status) *collector {
	return &collector{
		status: status,
		node:   nodeMetrics(),
		shape:  shapeMetrics(),
		group:  groupMetrics(),
		lag: prometheus.NewDesc("flotilla_consensus_follower_lag_entries",
			"Entries that a follower has yet to confirm; known to the leader only.", []string{"group", "follower"}, nil),
		alive: prometheus.NewDesc("flotilla_cluster_peer_alive",
			"1 if the other node was heard of lately.", []string{"peer"}, nil),
	}
}

// nodeMetrics is the table of all metrics without a group.
func nodeMetrics() []nodeMetric {
	counter := func(name, help string, of func(*cluster.Status) uint64) nodeMetric {
		return nodeMetric{prometheus.NewDesc(name, help, nil, nil), prometheus.CounterValue,
			func(s *cluster.Status) float64 { return float64(of(s)) }}
	}
	gauge := func(name, help string, of func(*cluster.Status) float64) nodeMetric {
		return nodeMetric{prometheus.NewDesc(name, help, nil, nil), prometheus.GaugeValue, of}
	}
	return []nodeMetric{
		gauge("flotilla_cluster_ready", "1 if the node serves.",
			func(s *cluster.Status) float64 { return one(s.IsReady) }),
		gauge("flotilla_cluster_draining", "1 while the node gives its leaders away.",
			func(s *cluster.Status) float64 { return one(s.IsDraining) }),
		gauge("flotilla_cluster_quarantined", "1 if damaged data was set aside since the last clean start.",
			func(s *cluster.Status) float64 { return one(s.Quarantined) }),
		gauge("flotilla_cluster_start_time_seconds", "When the node started, since the Unix epoch.",
			func(s *cluster.Status) float64 { return float64(s.StartedAt) / 1000 }),
		gauge("flotilla_cluster_inbox_commands", "Commands that wait for the next turn.",
			func(s *cluster.Status) float64 { return float64(s.Inbox) }),
		counter("flotilla_cluster_turns_total", "Rounds of the node's loop.",
			func(s *cluster.Status) uint64 { return s.Turns }),
		counter("flotilla_cluster_entries_total", "Entries that were proposed here.",
			func(s *cluster.Status) uint64 { return s.Entries }),
		counter("flotilla_cluster_commands_total", "Commands in the entries that were proposed here.",
			func(s *cluster.Status) uint64 { return s.Commands }),
		counter("flotilla_cluster_reads_total", "Reads that were answered here.",
			func(s *cluster.Status) uint64 { return s.Reads }),
		counter("flotilla_cluster_read_rounds_total", "Confirmations of leadership that reads waited for; many reads share one.",
			func(s *cluster.Status) uint64 { return s.ReadRounds }),
		counter("flotilla_cluster_busy_total", "Commands that were refused because too much was waiting.",
			func(s *cluster.Status) uint64 { return s.Busy }),
		counter("flotilla_cluster_relayed_frames_total", "Frames between two other nodes, of which one does not hear the other, that were passed on here.",
			func(s *cluster.Status) uint64 { return s.Relayed }),
		counter("flotilla_consensus_elections_total", "Elections that this node started.",
			func(s *cluster.Status) uint64 { return s.Elections }),
		counter("flotilla_consensus_snapshots_sent_total", "Snapshots that were sent to followers.",
			func(s *cluster.Status) uint64 { return s.Snapshots }),
		counter("flotilla_consensus_deduplicated_total", "Commands that arrived again and were not carried out again.",
			func(s *cluster.Status) uint64 { return s.Deduped }),
		counter("flotilla_storage_appends_total", "Synced batches that were written to the log.",
			func(s *cluster.Status) uint64 { return s.Disk.Appends }),
		counter("flotilla_storage_appended_bytes_total", "Bytes in those batches.",
			func(s *cluster.Status) uint64 { return s.Disk.AppendedBytes }),
		gauge("flotilla_storage_log_bytes", "Size of the log on disk.",
			func(s *cluster.Status) float64 { return float64(s.Disk.LogBytes) }),
		gauge("flotilla_storage_state_bytes", "Size of the state on disk.",
			func(s *cluster.Status) float64 { return float64(s.Disk.StateBytes) }),
		gauge("flotilla_storage_free_bytes", "Free space of the file system.",
			func(s *cluster.Status) float64 { return float64(s.Disk.FreeBytes) }),
		gauge("flotilla_storage_has_room", "0 when writes are refused because the disk is nearly full.",
			func(s *cluster.Status) float64 { return one(s.Disk.HasRoom) }),
	}
}

// shapeMetrics is the table of all histograms of a node.
func shapeMetrics() []shapeMetric {
	shape := func(name, help string, of func(*cluster.Status) *flotilla.Histogram) shapeMetric {
		return shapeMetric{prometheus.NewDesc(name, help, nil, nil), of}
	}
	return []shapeMetric{
		shape("flotilla_storage_sync_seconds", "Time spent waiting for the disk, for each synced batch.",
			func(s *cluster.Status) *flotilla.Histogram { return &s.Disk.Syncs }),
		shape("flotilla_cluster_write_entries", "Entries of all groups that a turn wrote together, with one sync.",
			func(s *cluster.Status) *flotilla.Histogram { return &s.TurnEntries }),
		shape("flotilla_cluster_apply_seconds", "Time to apply what a group committed in a turn.",
			func(s *cluster.Status) *flotilla.Histogram { return &s.ApplySeconds }),
		shape("flotilla_consensus_entry_commands", "Commands of an entry that was applied here; empty entries are left out.",
			func(s *cluster.Status) *flotilla.Histogram { return &s.EntrySizes }),
	}
}

// histogram makes a metric of one, in the cumulative form of Prometheus.
func histogram(desc *prometheus.Desc, h *flotilla.Histogram, labels ...string) prometheus.Metric {
	buckets, below := make(map[float64]uint64, len(h.Bounds)), uint64(0)
	for i, bound := range h.Bounds {
		below += h.Counts[i]
		buckets[bound] = below
	}
	return prometheus.MustNewConstHistogram(desc, h.Count(), h.Sum, buckets, labels...)
}

// groupMetrics is the table of all metrics of a group.
func groupMetrics() []groupMetric {
	gauge := func(name, help string, of func(*cluster.GroupStatus) float64) groupMetric {
		return groupMetric{prometheus.NewDesc(name, help, []string{"group"}, nil), of}
	}
	return []groupMetric{
		gauge("flotilla_consensus_group_leads", "1 if this node leads the group.",
			func(g *cluster.GroupStatus) float64 { return one(g.Role == "leader") }),
		gauge("flotilla_consensus_group_has_leader", "1 if this node knows the group's leader.",
			func(g *cluster.GroupStatus) float64 { return one(g.Leader != 0) }),
		gauge("flotilla_consensus_group_term", "The group's term.",
			func(g *cluster.GroupStatus) float64 { return float64(g.Term) }),
		gauge("flotilla_consensus_group_first_index", "The first entry that is still in the log.",
			func(g *cluster.GroupStatus) float64 { return float64(g.First) }),
		gauge("flotilla_consensus_group_last_index", "The last entry in the log.",
			func(g *cluster.GroupStatus) float64 { return float64(g.Last) }),
		gauge("flotilla_consensus_group_commit_index", "The last entry that a majority has on disk.",
			func(g *cluster.GroupStatus) float64 { return float64(g.Commit) }),
		gauge("flotilla_consensus_group_applied_index", "The last entry that is part of the state.",
			func(g *cluster.GroupStatus) float64 { return float64(g.Applied) }),
		gauge("flotilla_consensus_group_durable_index", "The last entry whose effect on the state is on disk.",
			func(g *cluster.GroupStatus) float64 { return float64(g.Durable) }),
	}
}

// Describe is part of prometheus.Collector.
func (c *collector) Describe(out chan<- *prometheus.Desc) {
	for _, m := range c.node {
		out <- m.desc
	}
	for _, m := range c.shape {
		out <- m.desc
	}
	for _, m := range c.group {
		out <- m.desc
	}
	out <- c.lag
	out <- c.alive
}

// Collect is part of prometheus.Collector.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	status := c.status()
	for _, m := range c.node {
		out <- prometheus.MustNewConstMetric(m.desc, m.kind, m.of(&status))
	}
	for _, m := range c.shape {
		out <- histogram(m.desc, m.of(&status))
	}
	for i := range status.Groups {
		if g := &status.Groups[i]; g.IsHere {
			c.collectGroup(out, g)
		}
	}
	for _, n := range status.Nodes {
		if n.Node != status.Node {
			out <- prometheus.MustNewConstMetric(c.alive, prometheus.GaugeValue, one(n.IsAlive), name(n.Node))
		}
	}
}

func (c *collector) collectGroup(out chan<- prometheus.Metric, g *cluster.GroupStatus) {
	group := g.Group.String()
	for _, m := range c.group {
		out <- prometheus.MustNewConstMetric(m.desc, prometheus.GaugeValue, m.of(g), group)
	}
	for _, f := range g.Followers {
		if f.Lag != nil {
			out <- prometheus.MustNewConstMetric(c.lag, prometheus.GaugeValue, float64(*f.Lag), group, name(f.Node))
		}
	}
}

func name(n flotilla.NodeID) string { return n.String() }

func one(is bool) float64 {
	if is {
		return 1
	}
	return 0
}
