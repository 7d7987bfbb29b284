package console

import (
	"flotilla/store/redis"
	"flotilla/transport"

	"github.com/prometheus/client_golang/prometheus"
)

// peerMetric is one number about one other node.
type peerMetric struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	of   func(*transport.PeerStats) float64
}

// transportCollector makes metrics of what goes to and comes from other nodes.
type transportCollector struct {
	stats func() transport.Stats
	peer  []peerMetric
}

func newTransportCollector(stats func() transport.Stats) *transportCollector {
	metric := func(kind prometheus.ValueType) func(string, string, func(*transport.PeerStats) float64) peerMetric {
		return func(name, help string, of func(*transport.PeerStats) float64) peerMetric {
			return peerMetric{prometheus.NewDesc("flotilla_transport_"+name, help, []string{"peer"}, nil), kind, of}
		}
	}
	counter, gauge := metric(prometheus.CounterValue), metric(prometheus.GaugeValue)
	return &transportCollector{stats: stats, peer: []peerMetric{
		gauge("connected", "1 while there is a connection from here to there.",
			func(p *transport.PeerStats) float64 { return one(p.IsConnected) }),
		gauge("queue_bytes", "Bytes that wait to be sent.",
			func(p *transport.PeerStats) float64 { return float64(p.QueueBytes) }),
		counter("connections_total", "Connections made from here.",
			func(p *transport.PeerStats) float64 { return float64(p.Connections) }),
		counter("frames_sent_total", "Frames that were queued.",
			func(p *transport.PeerStats) float64 { return float64(p.FramesOut) }),
		counter("messages_sent_total", "Messages that the frames travelled in.",
			func(p *transport.PeerStats) float64 { return float64(p.MessagesOut) }),
		counter("sent_bytes_total", "Bytes of those.",
			func(p *transport.PeerStats) float64 { return float64(p.BytesOut) }),
		counter("frames_received_total", "Frames that came.",
			func(p *transport.PeerStats) float64 { return float64(p.FramesIn) }),
		counter("messages_received_total", "Messages that the frames came in.",
			func(p *transport.PeerStats) float64 { return float64(p.MessagesIn) }),
		counter("received_bytes_total", "Bytes of those.",
			func(p *transport.PeerStats) float64 { return float64(p.BytesIn) }),
		counter("dropped_full_total", "Frames that were dropped because the queue was full.",
			func(p *transport.PeerStats) float64 { return float64(p.DroppedFull) }),
		counter("dropped_unreachable_total", "Frames that were dropped because there was no connection.",
			func(p *transport.PeerStats) float64 { return float64(p.DroppedUnreachable) }),
		counter("dropped_by_fault_total", "Frames that were dropped because somebody asked for it.",
			func(p *transport.PeerStats) float64 { return float64(p.DroppedByFault) }),
		counter("snapshots_failed_total", "Snapshots that did not arrive.",
			func(p *transport.PeerStats) float64 { return float64(p.SnapshotsFailed) }),
		counter("snapshot_sent_bytes_total", "Bytes of snapshots that were sent.",
			func(p *transport.PeerStats) float64 { return float64(p.SnapshotBytesOut) }),
		counter("snapshot_received_bytes_total", "Bytes of snapshots that came.",
			func(p *transport.PeerStats) float64 { return float64(p.SnapshotBytesIn) }),
	}}
}

// Describe is part of prometheus.Collector.
func (c *transportCollector) Describe(out chan<- *prometheus.Desc) {
	for _, m := range c.peer {
		out <- m.desc
	}
}

// Collect is part of prometheus.Collector.
func (c *transportCollector) Collect(out chan<- prometheus.Metric) {
	stats := c.stats()
	for i := range stats.Peers {
		p := &stats.Peers[i]
		for _, m := range c.peer {
			out <- prometheus.MustNewConstMetric(m.desc, m.kind, m.of(p), p.Node.String())
		}
	}
}

// doorMetric is one number of the Redis door.
type doorMetric struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	of   func(*redis.Stats) float64
}

// doorCollector makes metrics of what the Redis door has done.
type doorCollector struct {
	stats   func() redis.Stats
	door    []doorMetric
	seconds *prometheus.Desc
}

func newDoorCollector(stats func() redis.Stats) *doorCollector {
	gauge := func(name, help string, of func(*redis.Stats) int) doorMetric {
		return doorMetric{prometheus.NewDesc("flotilla_redis_"+name, help, nil, nil), prometheus.GaugeValue,
			func(s *redis.Stats) float64 { return float64(of(s)) }}
	}
	counter := func(name, help string, of func(*redis.Stats) uint64) doorMetric {
		return doorMetric{prometheus.NewDesc("flotilla_redis_"+name, help, nil, nil), prometheus.CounterValue,
			func(s *redis.Stats) float64 { return float64(of(s)) }}
	}
	return &doorCollector{stats: stats,
		seconds: prometheus.NewDesc("flotilla_redis_command_seconds",
			"Time from handing a command over to its group until its answer, by class; without blocking commands, and those that were refused or had no answer.", []string{"class"}, nil),
		door: []doorMetric{
			gauge("connections", "Connections that are open.", func(s *redis.Stats) int { return s.Connections }),
			gauge("subscribers", "Of these, those that subscribed to channels.", func(s *redis.Stats) int { return s.Subscribers }),
			gauge("blocked", "Of these, those that wait in BLPOP and the like.", func(s *redis.Stats) int { return s.Blocked }),
			counter("connections_total", "Connections that were accepted.", func(s *redis.Stats) uint64 { return s.ConnectionsTotal }),
			counter("rejected_total", "Connections that were one too many.", func(s *redis.Stats) uint64 { return s.Rejected }),
			counter("commands_total", "Commands that came.", func(s *redis.Stats) uint64 { return s.Commands }),
			counter("errors_total", "Commands that were answered by an error.", func(s *redis.Stats) uint64 { return s.Errors }),
			counter("runs_total", "Times that commands were handed over; a pipeline's travel together.", func(s *redis.Stats) uint64 { return s.Runs }),
			counter("received_bytes_total", "Bytes that came from clients.", func(s *redis.Stats) uint64 { return s.BytesIn }),
			counter("sent_bytes_total", "Bytes that went to clients.", func(s *redis.Stats) uint64 { return s.BytesOut }),
			counter("slow_readers_cut_off_total", "Connections whose clients did not read.", func(s *redis.Stats) uint64 { return s.SlowReadersCutOff }),
			counter("protocol_errors_total", "Connections that sent no Redis protocol.", func(s *redis.Stats) uint64 { return s.ProtocolErrors }),
			counter("cross_protocol_drops_total", "Of these, those that sent HTTP.", func(s *redis.Stats) uint64 { return s.CrossProtocolDrops }),
			counter("panics_total", "Connections that a bug closed.", func(s *redis.Stats) uint64 { return s.Panics }),
		}}
}

// Describe is part of prometheus.Collector.
func (c *doorCollector) Describe(out chan<- *prometheus.Desc) {
	for _, m := range c.door {
		out <- m.desc
	}
	out <- c.seconds
}

// Collect is part of prometheus.Collector.
func (c *doorCollector) Collect(out chan<- prometheus.Metric) {
	stats := c.stats()
	for _, m := range c.door {
		out <- prometheus.MustNewConstMetric(m.desc, m.kind, m.of(&stats))
	}
	out <- histogram(c.seconds, &stats.Reads, "read")
	out <- histogram(c.seconds, &stats.Writes, "write")
}
