package bench

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// tick is the unit of times in /proc: 1/100 s on every Linux that Go runs on.
const tick = 10 * time.Millisecond

func readUsage(pids []int) usage {
	u := usage{server: unknown, client: processCPU(os.Getpid()), machine: machineCPU()}
	if len(pids) == 0 {
		return u
	}
	var sum time.Duration
	for _, pid := range pids {
		used := processCPU(pid)
		if used < 0 {
			return u // a sum without it would flatter the server
		}
		sum += used
	}
	u.server = sum
	return u
}

func processCPU(pid int) time.Duration {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return unknown
	}
	return parseProcessCPU(string(raw))
}

// parseProcessCPU adds utime and stime, fields 14 and 15 of proc(5). The name, field
// 2, is in parentheses and may hold anything, so count from behind it.
func parseProcessCPU(stat string) time.Duration {
	fields := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(fields) < 13 {
		return unknown
	}
	user, errUser := strconv.ParseInt(fields[11], 10, 64)
	system, errSystem := strconv.ParseInt(fields[12], 10, 64)
	if errUser != nil || errSystem != nil {
		return unknown
	}
	return time.Duration(user+system) * tick
}

func machineCPU() time.Duration {
	raw, err := os.ReadFile("/proc/stat")
	if err != nil {
		return unknown
	}
	return parseMachineCPU(string(raw))
}

// parseMachineCPU adds all of the first line but idle, iowait and what other
// machines on the same hardware took: cpu user nice system idle iowait irq softirq steal.
func parseMachineCPU(stat string) time.Duration {
	line, _, _ := strings.Cut(stat, "\n")
	fields := strings.Fields(line)
	if len(fields) < 8 || fields[0] != "cpu" {
		return unknown
	}
	var busy int64
	for _, i := range []int{1, 2, 3, 6, 7} {
		n, err := strconv.ParseInt(fields[i], 10, 64)
		if err != nil {
			return unknown
		}
		busy += n
	}
	return time.Duration(busy) * tick
}

// memoryBytes returns how much of a process is in memory, or -1.
func memoryBytes(pid int) int64 {
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return -1
	}
	return parseMemory(string(raw), int64(os.Getpagesize()))
}

// parseMemory reads field 2 of statm, which counts pages.
func parseMemory(statm string, pageBytes int64) int64 {
	fields := strings.Fields(statm)
	if len(fields) < 2 {
		return -1
	}
	pages, err := strconv.ParseInt(fields[1], 10, 64)
	if err != nil {
		return -1
	}
	return pages * pageBytes
}
