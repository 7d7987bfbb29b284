package console

import (
	"context"
	"time"

	"flotilla"
	"flotilla/queue"
	"flotilla/queue/intake"

	"github.com/prometheus/client_golang/prometheus"
)

// maxQueuesShown is how many queues of one group the metrics of the node that leads it
// show: each is some twenty series, for as long as somebody keeps them.
const maxQueuesShown = 200

// summaryTimeout bounds the time that a group has to tell of its queues.
const summaryTimeout = 2 * time.Second

// queueMetric is one number of a queue, labelled with the queue and its group.
type queueMetric struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	of   func(*queue.Summary) float64
}

// queueCollector makes metrics of the queues whose groups this node leads, so that sums
// over all nodes are right.
type queueCollector struct {
	summaries func(ctx context.Context, limit int64) queue.Summaries
	queue     []queueMetric
	oldest    *prometheus.Desc
	hides     *prometheus.Desc
}

func newQueueCollector(summaries func(context.Context, int64) queue.Summaries) *queueCollector {
	labels := []string{"queue", "group"}
	gauge := func(name, help string, of func(*queue.Counters) uint64) queueMetric {
		return queueMetric{prometheus.NewDesc(name, help, labels, nil), prometheus.GaugeValue,
			func(s *queue.Summary) float64 { return float64(of(&s.Counters)) }}
	}
	counter := func(name, help string, of func(*queue.Counters) uint64) queueMetric {
		m := gauge(name, help, of)
		m.kind = prometheus.CounterValue
		return m
	}
	return &queueCollector{
		summaries: summaries,
		oldest:    prometheus.NewDesc("flotilla_queue_oldest_message_age_seconds", "Time since the oldest message came to the queue; 0 if it has none.", labels, nil),
		hides: prometheus.NewDesc("flotilla_queue_hides_some",
			"1 if a group that this node leads has more queues than are shown.", nil, nil),
		queue: []queueMetric{
			gauge("flotilla_queue_ready_messages", "Messages that can be received. Dead ones are ready in the queue for dead messages.",
				func(n *queue.Counters) uint64 { return n.Ready }),
			gauge("flotilla_queue_leased_messages", "Messages that somebody has.", func(n *queue.Counters) uint64 { return n.Leased }),
			gauge("flotilla_queue_delayed_messages", "Messages that wait for a delay, a schedule or a retry.", func(n *queue.Counters) uint64 { return n.Delayed }),
			counter("flotilla_queue_sent_total", "Messages sent.", func(n *queue.Counters) uint64 { return n.Sent }),
			counter("flotilla_queue_received_total", "Leases given.", func(n *queue.Counters) uint64 { return n.Received }),
			counter("flotilla_queue_deleted_total", "Messages deleted by who had received them.", func(n *queue.Counters) uint64 { return n.Deleted }),
			counter("flotilla_queue_expired_total", "Messages that became too old.", func(n *queue.Counters) uint64 { return n.Expired }),
			counter("flotilla_queue_dead_total", "Messages moved to the queue for dead messages.", func(n *queue.Counters) uint64 { return n.Dead }),
			counter("flotilla_queue_stale_total", "Deletes and changes by a receipt that a later one superseded.", func(n *queue.Counters) uint64 { return n.Stale }),
			counter("flotilla_queue_duplicates_total", "Sends that were recognized as repeated.", func(n *queue.Counters) uint64 { return n.Duplicates }),
			counter("flotilla_queue_leases_ended_total", "Leases that ran out.", func(n *queue.Counters) uint64 { return n.LeasesEnded }),
		}}
}

// Describe is part of prometheus.Collector.
func (c *queueCollector) Describe(out chan<- *prometheus.Desc) {
	for _, m := range c.queue {
		out <- m.desc
	}
	out <- c.oldest
	out <- c.hides
}

// Collect is part of prometheus.Collector.
func (c *queueCollector) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), summaryTimeout)
	defer cancel()
	all := c.summaries(ctx, maxQueuesShown)
	now := flotilla.Millis(time.Now().UnixMilli())
	for i := range all.Queues {
		s := &all.Queues[i]
		group := s.Group.String()
		for _, m := range c.queue {
			out <- prometheus.MustNewConstMetric(m.desc, m.kind, m.of(s), s.QueueName, group)
		}
		age := 0.0
		if s.OldestSentTimestamp != 0 {
			age = max(0, float64(now-s.OldestSentTimestamp)/1000)
		}
		out <- prometheus.MustNewConstMetric(c.oldest, prometheus.GaugeValue, age, s.QueueName, group)
	}
	out <- prometheus.MustNewConstMetric(c.hides, prometheus.GaugeValue, one(all.HasMore))
}

// httpCollector makes metrics of what one of the queue's doors has done.
type httpCollector struct {
	stats   func() intake.Stats
	metrics []httpMetric
}

// httpMetric is one number of such a door.
type httpMetric struct {
	desc *prometheus.Desc
	kind prometheus.ValueType
	of   func(*intake.Stats) float64
}

// newHTTPCollector takes the door's package: flotilla_sqs_requests_total and so on.
func newHTTPCollector(door string, stats func() intake.Stats) *httpCollector {
	metric := func(kind prometheus.ValueType, name, help string, of func(*intake.Stats) float64) httpMetric {
		return httpMetric{prometheus.NewDesc("flotilla_"+door+"_"+name, help, nil, nil), kind, of}
	}
	return &httpCollector{stats: stats, metrics: []httpMetric{
		metric(prometheus.GaugeValue, "requests", "Requests that are being answered, long polls among them.",
			func(s *intake.Stats) float64 { return float64(s.InFlight) }),
		metric(prometheus.CounterValue, "requests_total", "Requests that came.", func(s *intake.Stats) float64 { return float64(s.Requests) }),
		metric(prometheus.CounterValue, "errors_total", "Requests that were answered by an error.", func(s *intake.Stats) float64 { return float64(s.Errors) }),
		metric(prometheus.CounterValue, "denied_total", "Requests of those who may not come in.", func(s *intake.Stats) float64 { return float64(s.Denied) }),
		metric(prometheus.CounterValue, "rejected_total", "Requests that were too many, or too large together.", func(s *intake.Stats) float64 { return float64(s.Rejected) }),
		metric(prometheus.CounterValue, "panics_total", "Requests that a bug ended.", func(s *intake.Stats) float64 { return float64(s.Panics) }),
	}}
}

// Describe is part of prometheus.Collector.
func (c *httpCollector) Describe(out chan<- *prometheus.Desc) {
	for _, m := range c.metrics {
		out <- m.desc
	}
}

// Collect is part of prometheus.Collector.
func (c *httpCollector) Collect(out chan<- prometheus.Metric) {
	stats := c.stats()
	for _, m := range c.metrics {
		out <- prometheus.MustNewConstMetric(m.desc, m.kind, m.of(&stats))
	}
}
