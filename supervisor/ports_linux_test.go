package supervisor

import "testing"

func TestListenerInode(t *testing.T) {
	const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:18EB 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0 10 0
   1: 0100007F:18EC 0100007F:D431 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0 100 0 0 10 0
`
	if got := listenerInode(table, 6379); got != "4711" {
		t.Errorf("port 6379: %q", got)
	}
	if got := listenerInode(table, 6380); got != "" { // connected, not listening
		t.Errorf("port 6380: %q", got)
	}
}
