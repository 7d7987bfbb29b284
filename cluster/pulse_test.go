package cluster_test

import (
	"context"
	"testing"
	"time"

	"flotilla"
)

// slowMachine is an appendMachine whose node takes 2 s to apply an append to 'H' of a
// value with the node's bit.
type slowMachine struct {
	appendMachine
	bit byte
}

func (m slowMachine) Apply(tx *flotilla.Tx, command []byte) []byte {
	if command[1] == 'H' && command[2]&m.bit != 0 {
		<-time.After(2 * time.Second)
	}
	return m.appendMachine.Apply(tx, command)
}

// A command may take many election timeouts to apply, on a leader, on its followers or on
// all: nobody is elected instead, and what clients ask for meanwhile is done afterwards
// and not refused. Elections take 240 to 480 ms here.
func TestLongApplyKeepsLeader(t *testing.T) {
	f := newFleetOf(t, 3, 1, func(i int) flotilla.Machine { return slowMachine{bit: 1 << i} })
	leader := f.settledLeader()
	all, led := byte(7), byte(1)<<leader
	for _, slow := range []byte{led, all &^ led, all} {
		before := f.nodes[leader].server.Topology().Groups[1]
		asked := []chan error{f.ask((leader+1)%3, byte(systemTest), 'H', slow)}
		<-time.After(500 * time.Millisecond)
		for i := range 3 {
			asked = append(asked, f.ask(i, byte(systemTest), 'k', 'v'), f.ask(i, byte(systemTest), 'k'))
		}
		for i, done := range asked {
			if err := <-done; err != nil {
				t.Errorf("nodes %03b slow, call %d: %v", slow, i, err)
			}
		}
		<-time.After(2 * time.Second) // followers are slow after their leader
		if after := f.nodes[leader].server.Topology().Groups[1]; after.Leader != before.Leader || after.Term != before.Term {
			t.Errorf("nodes %03b slow: leader %v of term %d, then %v of term %d", slow,
				before.Leader, before.Term, after.Leader, after.Term)
		}
	}
}

// settledLeader returns the node that leads group 1 once it has done so for a second.
func (f *fleet) settledLeader() int {
	var was flotilla.GroupInfo
	for deadline := time.Now().Add(30 * time.Second); time.Now().Before(deadline); <-time.After(time.Second) {
		now := f.nodes[0].server.Topology().Groups[1]
		if now.Leader != 0 && now.Leader == was.Leader && now.Term == was.Term {
			return int(now.Leader) - 1
		}
		was = now
	}
	f.t.Fatal("no leader stays")
	return 0
}

// ask sends a command to group 1 by way of a node, once: a read if it has no value.
func (f *fleet) ask(i int, command ...byte) chan error {
	done := make(chan error, 1)
	go func() {
		call := &flotilla.Call{Group: 1, IsRead: len(command) == 2, Commands: [][]byte{command}}
		f.nodes[i].server.Do(context.Background(), call)
		done <- call.Err
	}()
	return done
}
