package consensus_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/cryptotest"

	"flotilla"
	"flotilla/consensus"
	"flotilla/storage"
)

// TestAdversary lets three replicas live through everything a network and a power
// supply can do, with origins that send their parcels again until they are
// answered, as cluster's routes do. A failure is repeated with its seed.
func TestAdversary(t *testing.T) {
	seeds := uint64(60)
	if testing.Short() {
		seeds = 10
	}
	for seed := range seeds {
		t.Run(strconv.FormatUint(seed, 10), func(t *testing.T) { newAdversary(t, seed).play(400) })
	}
}

// adversary is a lab with chance, and with a memory of all that was promised.
type adversary struct {
	*lab
	t       *testing.T
	rand    *rand.Rand
	origins []*origin
	reads   []read
	acked   uint64                     // highest index at which a command was first answered
	hashes  map[uint64]uint64          // of the state at an index
	answers map[string]string          // replies of a parcel: the same each time
	waiting map[flotilla.ReplicaID]int // steps until a node that is down comes back
	calm    bool
}

// origin is a node's half of "exactly once": see cluster/route.go.
type origin struct {
	id      flotilla.NodeID
	session uint64
	next    uint64
	nonce   uint64
	sent    []*parcel
	acked   map[string]string // command to its reply
	gaveUp  map[string]bool
	made    int
}

type parcel struct {
	first    uint64
	session  uint64
	commands []string
	bytes    []byte
}

// read is a linearizable read that waits at a replica.
type read struct {
	at     flotilla.ReplicaID
	life   *consensus.Group
	round  uint64
	before uint64 // what was acknowledged when it arrived
}

func newAdversary(t *testing.T, seed uint64) *adversary {
	cryptotest.SetGlobalRandom(t, seed)
	a := &adversary{lab: newLab(3), t: t, rand: rand.New(rand.NewPCG(seed, 1)), hashes: map[uint64]uint64{},
		answers: map[string]string{}, waiting: map[flotilla.ReplicaID]int{}}
	for i := range 3 {
		a.origins = append(a.origins, &origin{id: flotilla.NodeID(i + 1), nonce: 1 << 40, acked: map[string]string{}, gaveUp: map[string]bool{}})
	}
	for _, n := range a.nodes {
		n.crash = func(storage.Boundary) bool { return !a.calm && a.rand.IntN(60) == 0 }
		a.restart(n, -1)
	}
	return a
}

func (a *adversary) chance(percent int) bool { return a.rand.IntN(100) < percent }

func (a *adversary) play(steps int) {
	for range steps {
		a.step()
		if a.t.Failed() {
			return
		}
	}
	a.calm = true
	for range 400 {
		a.step()
	}
	a.judge()
}

func (a *adversary) step() {
	a.now += flotilla.Millis(a.rand.IntN(40) - 10)
	for _, o := range a.origins {
		a.act(o)
	}
	for _, n := range a.nodes {
		a.drive(n)
	}
	a.shake()
	a.checkReads()
}

// drive lets a replica tick and work; it may lose its power meanwhile.
func (a *adversary) drive(n *replica) {
	if n.group == nil {
		if a.waiting[n.id]--; a.waiting[n.id] < 0 {
			a.restart(n, a.rand.IntN(n.disk.Pending()+1))
		}
		return
	}
	if a.chance(70) {
		n.group.Tick()
	}
	if a.chance(20) {
		a.reads = append(a.reads, read{at: n.id, life: n.group, round: n.group.JoinRead(), before: a.acked})
	}
	if !a.calm && a.chance(3) {
		n.disk.Flush()
	}
	if !a.calm && a.chance(1) {
		n.group.Transfer(flotilla.ReplicaID(a.rand.IntN(3) + 1))
	}
	if a.chance(20) {
		return // it is slow
	}
	if err := a.turn(n, func(o consensus.Outcome) { a.outcome(n, o) }); err != nil || !a.calm && a.rand.IntN(150) == 0 {
		if err != nil && !strings.Contains(err.Error(), storage.ErrCrashed.Error()) {
			a.t.Fatal(err)
		}
		n.group, a.waiting[n.id] = nil, a.rand.IntN(40)
		return
	}
	a.compare(n)
}

// compare holds a state against what others had at the same index.
func (a *adversary) compare(n *replica) {
	index := n.state.Mark().Index
	hash := consensus.Hash(n.state)
	if other, ok := a.hashes[index]; ok && other != hash {
		a.t.Fatalf("replica %d differs from another at index %d:\n%s", n.id, index, content(n.state))
	}
	a.hashes[index] = hash
}

// shake delivers, drops, doubles and reorders what is on the wire.
func (a *adversary) shake() {
	packets := a.lab.take(func(packet) bool { return a.calm || a.chance(60) })
	if !a.calm {
		a.rand.Shuffle(len(packets), func(i, j int) { packets[i], packets[j] = packets[j], packets[i] })
	}
	for _, p := range packets {
		switch {
		case a.calm:
			a.deliver(p)
		case a.chance(10):
		case a.chance(5):
			a.deliver(p)
			a.wire = append(a.wire, p)
		default:
			a.deliver(p)
		}
	}
}

// act lets an origin open its session, make parcels, and send again.
func (a *adversary) act(o *origin) {
	if o.session == 0 {
		if len(o.sent) == 0 {
			o.nonce++
			p := &parcel{first: o.nonce}
			p.bytes = consensus.AppendParcel(nil, &consensus.Parcel{Origin: o.id, First: o.nonce})
			o.sent = append(o.sent, p)
		}
	} else if !a.calm && len(o.sent) < 2 && a.chance(30) {
		o.sent = append(o.sent, a.fill(o))
	}
	if !a.calm && o.session != 0 && len(o.sent) > 0 && a.chance(2) { // it waits no longer
		for _, c := range o.sent[0].commands {
			o.gaveUp[c] = true
		}
		o.sent = o.sent[1:]
	}
	for _, p := range o.sent {
		for _, n := range a.nodes {
			if n.group != nil && n.group.IsLeader() && a.chance(30) {
				n.group.Submit(p.bytes)
			}
		}
	}
}

func (a *adversary) fill(o *origin) *parcel {
	p := &parcel{first: o.next, session: o.session}
	parcel := consensus.Parcel{Origin: o.id, Session: o.session, First: o.next, Low: o.next}
	for _, other := range o.sent {
		parcel.Low = min(parcel.Low, other.first)
	}
	for range 1 + a.rand.IntN(3) {
		o.made++
		command := fmt.Sprintf("tadd list%d %v.%d", a.rand.IntN(2), o.id, o.made)
		p.commands = append(p.commands, command)
		parcel.Commands = append(parcel.Commands, []byte(command))
	}
	o.next += uint64(len(p.commands))
	p.bytes = consensus.AppendParcel(nil, &parcel)
	return p
}

// outcome hears what any replica says of a parcel; the origin hears most of it.
func (a *adversary) outcome(n *replica, o consensus.Outcome) {
	text := replies(o)
	if o.Status == consensus.Applied {
		key := fmt.Sprint(o.Session, " ", o.First)
		if before, ok := a.answers[key]; ok && before != text {
			a.t.Errorf("parcel %s is answered %q by %d, and %q before", key, text, n.id, before)
		}
		a.answers[key] = text
	}
	from := a.origins[o.Origin-1]
	if !a.calm && a.chance(30) {
		return // lost on its way
	}
	for i, p := range from.sent {
		if p.first != o.First || p.session != 0 && p.session != o.Session {
			continue
		}
		if o.Status != consensus.Applied {
			a.t.Errorf("parcel %d of %v has status %d", o.First, o.Origin, o.Status)
		}
		from.sent = slices.Delete(from.sent, i, i+1)
		if p.session == 0 {
			from.session, from.next = o.Session, 1
			return
		}
		all := strings.Fields(text)
		for k, c := range p.commands {
			from.acked[c] = all[k]
		}
		a.acked = max(a.acked, o.Index)
		return
	}
}

// checkReads looks at reads that were confirmed: they see what was acknowledged.
func (a *adversary) checkReads() {
	a.reads = slices.DeleteFunc(a.reads, func(r read) bool {
		n := a.replica(r.at)
		if n.group != r.life {
			return true // it died with its replica
		}
		round, index := n.group.Confirmed()
		if round < r.round {
			return false
		}
		if index < r.before {
			a.t.Errorf("a read at %d sees index %d, but %d was acknowledged before it", r.at, index, r.before)
		}
		return true
	})
}

// judge looks at what there is in the end.
func (a *adversary) judge() {
	first := a.nodes[0]
	for _, n := range a.nodes[1:] {
		if n.state.Mark() != first.state.Mark() || consensus.Hash(n.state) != consensus.Hash(first.state) {
			a.t.Fatalf("in the end %d is at %+v and %d at %+v", n.id, n.state.Mark(), first.id, first.state.Mark())
		}
	}
	place := map[string]string{}
	for k, v := range first.state.Scan([]byte("tlist"), []byte("tm")) {
		for i, item := range strings.Fields(string(v)) {
			command := fmt.Sprintf("tadd %s %s", k[1:], item)
			if place[command] != "" {
				a.t.Errorf("%q was applied twice", command)
			}
			place[command] = strconv.Itoa(i + 1)
		}
	}
	total := 0
	for _, o := range a.origins {
		if len(o.sent) > 0 {
			a.t.Errorf("%v still waits for %d parcels", o.id, len(o.sent))
		}
		for command, reply := range o.acked {
			total++
			if place[command] != reply {
				a.t.Errorf("%q was answered %s and is at place %q", command, reply, place[command])
			}
		}
		if n := len(o.acked) + len(o.gaveUp); n != o.made {
			a.t.Errorf("%v made %d commands, and %d were answered or given up", o.id, o.made, n)
		}
	}
	if total < 10 {
		a.t.Errorf("only %d commands were answered: nothing was tested", total)
	}
}
