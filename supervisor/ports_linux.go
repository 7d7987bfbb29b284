package supervisor

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// portOwner returns "pid 123 redis-server" for the process that listens on a
// port, or "" if it can not be told (another user's process, for one).
func portOwner(port int) string {
	socket := ""
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		raw, err := os.ReadFile(table)
		if err != nil {
			continue
		}
		if inode := listenerInode(string(raw), port); inode != "" {
			socket = "socket:[" + inode + "]"
			break
		}
	}
	if socket == "" {
		return ""
	}
	descriptors, err := filepath.Glob("/proc/[0-9]*/fd/*")
	if err != nil {
		return ""
	}
	for _, path := range descriptors {
		if target, err := os.Readlink(path); err != nil || target != socket {
			continue
		}
		pid := strings.Split(path, "/")[2]
		name, _ := os.ReadFile("/proc/" + pid + "/comm") // an unknown name is left out
		return strings.TrimSpace(fmt.Sprintf("pid %s %s", pid, strings.TrimSpace(string(name))))
	}
	return ""
}

// listenerInode finds the socket that listens on a port in the text of
// /proc/net/tcp: the second column is address:port in hexadecimal, the fourth
// the state (0A: listening), the tenth the inode.
func listenerInode(table string, port int) string {
	for line := range strings.Lines(table) {
		fields := strings.Fields(line)
		if len(fields) < 10 || fields[3] != "0A" {
			continue
		}
		_, hex, _ := strings.Cut(fields[1], ":")
		if found, err := strconv.ParseUint(hex, 16, 16); err == nil && int(found) == port {
			return fields[9]
		}
	}
	return ""
}
