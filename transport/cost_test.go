package transport

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"testing"

	"flotilla"
)

// Ping-pong of one frame there and 40 bytes back, both ends in this process. Run
// with -cpu 2 and compare "cpu-us/op": user and system time of the whole process.
func BenchmarkPingPong(b *testing.B) {
	for _, size := range []int{400, 5 << 10, 21 << 10} {
		b.Run(fmt.Sprintf("grpc/%dB", size), func(b *testing.B) {
			x, y := startNode(b, plainOptions(1), newRecorder()), startNode(b, plainOptions(2), newRecorder())
			back, answer := make(chan struct{}, 1), make([]byte, 40)
			x.onFrame = func(flotilla.NodeID, []byte) { back <- struct{}{} }
			y.onFrame = func(flotilla.NodeID, []byte) { y.Send(1, answer) }
			meet(x, y)
			awaitConnection(b, x, y)
			awaitConnection(b, y, x)
			frame := make([]byte, size)
			measureCPU(b, func() {
				x.Send(2, frame)
				<-back
			})
		})
		b.Run(fmt.Sprintf("tcp/%dB", size), func(b *testing.B) { pingPongTCP(b, size) })
	}
}

func plainOptions(id flotilla.NodeID) Options {
	o := basicOptions(id)
	o.Lab = false
	return o
}

// pingPongTCP is the same with nothing but a length in front: the floor.
func pingPongTCP(b *testing.B, size int) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		server, err := listener.Accept()
		if err != nil {
			return
		}
		defer server.Close()
		message, answer := make([]byte, 4+size), appendFrame(nil, make([]byte, 40))
		for {
			if _, err := io.ReadFull(server, message); err != nil {
				return
			}
			if _, err := server.Write(answer); err != nil {
				return
			}
		}
	}()
	client, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		b.Fatal(err)
	}
	message, answer := make([]byte, 4+size), make([]byte, 44)
	binary.LittleEndian.PutUint32(message, uint32(size))
	measureCPU(b, func() {
		if _, err := client.Write(message); err != nil {
			b.Fatal(err)
		}
		if _, err := io.ReadFull(client, answer); err != nil {
			b.Fatal(err)
		}
	})
	client.Close()
	<-done
	listener.Close()
}
