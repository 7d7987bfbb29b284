package transport

import (
	"bytes"
	"slices"
	"testing"
)

func TestOutboxIsBounded(t *testing.T) {
	var o outbox
	frame := make([]byte, 100_000)
	added := 0
	for o.add(frame) {
		added++
	}
	if want := MaxQueueBytes / (len(frame) + lengthSize); added != want {
		t.Errorf("took %d frames, want %d", added, want)
	}
	if o.add(make([]byte, 1<<20)) || !o.add([]byte("small")) {
		t.Error("the bound is not exact")
	}
	if dropped := o.clear(); dropped != uint64(added+1) || o.bytes != 0 || len(o.messages) != 0 {
		t.Errorf("dropped %d of %d, %d bytes left", dropped, added+1, o.bytes)
	}
	if len(o.free) > maxFreeBuffers {
		t.Errorf("keeps %d buffers", len(o.free))
	}
}

func TestOutboxKeepsOrderAcrossMessages(t *testing.T) {
	var o outbox
	sent := [][]byte{make([]byte, maxMessage), []byte("a"), {}, make([]byte, maxMessage/2), make([]byte, maxMessage/2), []byte("b")}
	for _, f := range sent {
		o.add(f)
	}
	var got [][]byte
	messages := 0
	for m := o.take(); m != nil; m = o.take() {
		messages++
		if _, err := splitFrames(*m, func(f []byte) { got = append(got, bytes.Clone(f)) }); err != nil {
			t.Fatal(err)
		}
	}
	if !slices.EqualFunc(got, sent, bytes.Equal) || messages != 3 {
		t.Errorf("%d frames in %d messages", len(got), messages)
	}
}

func FuzzSplitFrames(f *testing.F) {
	f.Add([]byte{})
	f.Add(appendFrame(appendFrame(nil, []byte("one")), nil))
	f.Add([]byte{255, 255, 255, 255, 1})
	f.Add([]byte{4, 0, 0})
	f.Fuzz(func(t *testing.T, message []byte) {
		var again []byte
		count, err := splitFrames(message, func(frame []byte) {
			if cap(frame) != len(frame) {
				t.Error("a receiver that appends would overwrite the next frame")
			}
			again = appendFrame(again, frame)
		})
		if !bytes.HasPrefix(message, again) || (err == nil) != (len(again) == len(message)) {
			t.Fatalf("%d frames, err %v: %x from %x", count, err, again, message)
		}
	})
}

func FuzzParseHello(f *testing.F) {
	f.Add("1", "prod", "2", "3", "4")
	f.Add("", "", "-1", "99999999999999999999", "x")
	f.Fuzz(func(t *testing.T, version, cluster, from, to, incarnation string) {
		fields := map[string][]string{keyVersion: {version}, keyCluster: {cluster}, keyFrom: {from}, keyTo: {to}, keyIncarnation: {incarnation}}
		h, err := parseHello(fields)
		if err != nil {
			return
		}
		again := map[string][]string{}
		for pair := range slices.Chunk(h.fields(), 2) {
			again[pair[0]] = []string{pair[1]}
		}
		if h2, err := parseHello(again); err != nil || h2 != h {
			t.Fatalf("%+v became %+v: %v", h, h2, err)
		}
	})
}
