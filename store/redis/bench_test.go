package redis

import (
	"bytes"
	"io"
	"net"
	"testing"
)

// BenchmarkPipeline is the door's own work: one connection sends 64 GETs at a time
// to a host that answers from memory; the figure is for one GET.
func BenchmarkPipeline(b *testing.B) {
	l := newLab(b, 1, 1)
	socket, err := net.Dial("tcp", l.addrs[0])
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = socket.Close() }()
	const depth = 64
	request := bytes.Repeat([]byte("*2\r\n$3\r\nGET\r\n$1\r\nk\r\n"), depth)
	reply := make([]byte, depth*len("$-1\r\n"))
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if i%depth > 0 {
			continue
		}
		if _, err := socket.Write(request); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(socket, reply); err != nil {
			b.Fatal(err)
		}
	}
}
