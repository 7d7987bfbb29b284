package redis

import (
	"fmt"
	"os"
	"runtime"
	"runtime/metrics"
	"slices"
	"strings"
	"time"

	"flotilla"
	"flotilla/store"
)

// section is one part of INFO.
type section struct {
	name      string
	isDefault bool
	write     func(s *Server, r *request, b *strings.Builder)
}

// sections lists the parts in Redis's order.
func sections() []section {
	return []section{
		{"server", true, infoServer},
		{"clients", true, infoClients},
		{"memory", true, infoMemory},
		{"persistence", true, infoPersistence},
		{"stats", true, infoStats},
		{"replication", true, infoReplication},
		{"cpu", true, infoCPU},
		{"commandstats", false, infoCommandStats},
		{"cluster", true, infoCluster},
		{"keyspace", true, infoKeyspace},
	}
}

func cmdInfo(r *request) {
	var b strings.Builder
	for _, s := range sections() {
		isWanted := s.isDefault && len(r.args) == 1
		for i := range r.args[1:] {
			isWanted = isWanted || r.is(1+i, s.name) || r.is(1+i, "all") || r.is(1+i, "everything") || s.isDefault && r.is(1+i, "default")
		}
		if !isWanted {
			continue
		}
		if b.Len() > 0 {
			b.WriteString("\r\n")
		}
		b.WriteString("# " + strings.ToUpper(s.name[:1]) + s.name[1:] + "\r\n")
		s.write(r.c.server, r, &b)
	}
	r.c.out.verbatim(b.String())
}

// lines writes name:value for each pair.
func lines(b *strings.Builder, pairs ...any) {
	for i := 0; i < len(pairs); i += 2 {
		fmt.Fprintf(b, "%v:%v\r\n", pairs[i], pairs[i+1])
	}
}

func infoServer(s *Server, _ *request, b *strings.Builder) {
	up := time.Since(s.startedAt)
	lines(b, "redis_version", redisVersion, "redis_mode", "cluster", "flotilla_version", s.Version,
		"flotilla_node", s.Host.Self(), "os", runtime.GOOS+" "+runtime.GOARCH, "arch_bits", 64,
		"go_version", runtime.Version(), "process_id", os.Getpid(), "run_id", s.runID, "tcp_port", s.self().StorePort,
		"server_time_usec", time.Now().UnixMicro(), "uptime_in_seconds", int(up.Seconds()), "uptime_in_days", int(up.Hours()/24))
}

func infoClients(s *Server, _ *request, b *strings.Builder) {
	stats := s.Stats()
	lines(b, "connected_clients", stats.Connections, "maxclients", s.config.maxClients(),
		"blocked_clients", stats.Blocked, "tracking_clients", 0, "pubsub_clients", stats.Subscribers)
}

// memory is what the Go runtime says.
type memory struct{ heap, mapped int }

func memoryUsed() memory {
	samples := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}, {Name: "/memory/classes/total:bytes"},
		{Name: "/memory/classes/heap/released:bytes"}}
	metrics.Read(samples)
	value := func(i int) int { return int(samples[i].Value.Uint64()) }
	return memory{heap: value(0), mapped: value(1) - value(2)}
}

func infoMemory(_ *Server, _ *request, b *strings.Builder) {
	used := memoryUsed()
	lines(b, "used_memory", used.heap, "used_memory_human", human(used.heap), "used_memory_rss", used.mapped,
		"used_memory_rss_human", human(used.mapped), "maxmemory", 0, "maxmemory_human", "0B", "maxmemory_policy", "noeviction",
		"mem_allocator", "go")
}

func human(n int) string {
	switch {
	case n < 1<<10:
		return fmt.Sprintf("%dB", n)
	case n < 1<<20:
		return fmt.Sprintf("%.2fK", float64(n)/(1<<10))
	case n < 1<<30:
		return fmt.Sprintf("%.2fM", float64(n)/(1<<20))
	}
	return fmt.Sprintf("%.2fG", float64(n)/(1<<30))
}

// infoPersistence: what was acknowledged is on disk, always.
func infoPersistence(s *Server, _ *request, b *strings.Builder) {
	status, size := "ok", uint64(0)
	if s.HasRoom != nil && !s.HasRoom() {
		status = "err"
	}
	if s.DiskBytes != nil {
		size = s.DiskBytes()
	}
	lines(b, "loading", 0, "rdb_changes_since_last_save", 0, "rdb_bgsave_in_progress", 0, "rdb_last_bgsave_status", "ok",
		"aof_enabled", 1, "aof_rewrite_in_progress", 0, "aof_last_write_status", status, "aof_current_size", size)
}

func infoStats(s *Server, _ *request, b *strings.Builder) {
	stats := s.Stats()
	lines(b, "total_connections_received", stats.ConnectionsTotal, "total_commands_processed", stats.Commands,
		"total_net_input_bytes", stats.BytesIn, "total_net_output_bytes", stats.BytesOut,
		"rejected_connections", stats.Rejected, "total_error_replies", stats.Errors,
		"client_output_buffer_limit_disconnections", stats.SlowReadersCutOff, "evicted_keys", 0,
		"pubsub_channels", len(s.hub.names(byChannel, nil)), "pubsub_patterns", len(s.hub.names(byPattern, nil)),
		"pubsubshard_channels", len(s.hub.names(byShard, nil)), "flotilla_runs", stats.Runs,
		"flotilla_protocol_errors", stats.ProtocolErrors, "flotilla_cross_protocol_drops", stats.CrossProtocolDrops)
}

// infoReplication: every node takes writes, so every node is a master to its clients.
func infoReplication(s *Server, _ *request, b *strings.Builder) {
	leads := 0
	for _, g := range s.Host.Topology().Groups {
		if g.Leader == s.Host.Self() && g.ID != flotilla.Directory {
			leads++
		}
	}
	lines(b, "role", "master", "connected_slaves", 0, "master_replid", s.runID, "flotilla_groups_led", leads)
}

func infoCPU(s *Server, _ *request, b *strings.Builder) {
	var user, system float64
	if s.CPUSeconds != nil {
		user, system = s.CPUSeconds()
	}
	fmt.Fprintf(b, "used_cpu_sys:%.6f\r\nused_cpu_user:%.6f\r\n", system, user)
}

func infoCommandStats(s *Server, _ *request, b *strings.Builder) {
	for _, c := range store.Commands() {
		stats := s.commands[c]
		calls, rejected, failed := stats.calls.Load(), stats.rejected.Load(), stats.failed.Load()
		if calls+rejected+failed == 0 {
			continue
		}
		usec := float64(stats.nanos.Load()) / 1e3
		fmt.Fprintf(b, "cmdstat_%s:calls=%d,usec=%.0f,usec_per_call=%.2f,rejected_calls=%d,failed_calls=%d\r\n",
			c.Name, calls, usec, usec/float64(max(calls, 1)), rejected, failed)
	}
}

func infoCluster(_ *Server, _ *request, b *strings.Builder) { lines(b, "cluster_enabled", 1) }

// infoKeyspace asks all groups, with this connection's level. How many keys will
// expire is not counted.
func infoKeyspace(_ *Server, r *request, b *strings.Builder) {
	defer r.c.session.Reset()
	if r.c.session.Len() > 0 || r.c.session.Add(store.Lookup([]byte("dbsize")), [][]byte{[]byte("dbsize")}) != nil {
		return
	}
	r.c.session.Do(r.ctx)
	reply, err := r.c.session.Reply(0)
	if err != nil || slices.Equal(reply, []byte(":0\r\n")) {
		return
	}
	fmt.Fprintf(b, "db0:keys=%s,avg_ttl=0\r\n", strings.TrimSpace(string(reply[1:])))
}

// resetStats is CONFIG RESETSTAT.
func (s *Server) resetStats() {
	c := &s.counters
	for _, n := range []interface{ Store(uint64) }{&c.total, &c.rejected, &c.commands, &c.errors, &c.runs, &c.bytesIn,
		&c.bytesOut, &c.slow, &c.protocolErrors, &c.crossProtocol} {
		n.Store(0)
	}
	for _, stats := range s.commands {
		stats.calls.Store(0)
		stats.failed.Store(0)
		stats.rejected.Store(0)
		stats.nanos.Store(0)
	}
}
