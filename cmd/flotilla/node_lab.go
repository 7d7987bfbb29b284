package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"flotilla"
	"flotilla/console"
	"flotilla/lab/moment"
	"flotilla/scenario"
	"flotilla/supervisor"
	"flotilla/transport"
)

// labDoor is how a node that was started with --lab is broken from outside.
func (n *node) labDoor() *console.Lab {
	if n.config.LabFaults != "" {
		if err := n.setFaults([]byte(n.config.LabFaults)); err != nil {
			n.log.Error("the faults to begin with were refused", "err", err)
		}
	}
	door := &console.Lab{Token: n.config.LabToken, Faults: func() any { return n.faults() }, Set: n.setFaults, Do: n.order}
	if n.config.LabFleet == "" {
		door.Keeper, door.Change = findKeeper(os.LookupEnv), n.change
	}
	return door
}

// findKeeper says what keeps this node's process, as far as that shows from inside.
func findKeeper(environ func(string) (string, bool)) console.Keeper {
	if _, ok := environ("KUBERNETES_SERVICE_HOST"); ok {
		return console.Kubernetes
	}
	// In a container of its own it is the first process; a shell in a container keeps nothing.
	if _, err := os.Stat("/.dockerenv"); err == nil && os.Getpid() == 1 {
		return console.Compose
	}
	if _, ok := environ("INVOCATION_ID"); ok {
		return console.Systemd
	}
	return console.Nobody
}

// change breaks or mends something of this node, where no supervisor does.
func (n *node) change(r supervisor.Request) (string, error) {
	n.changing.Lock()
	defer n.changing.Unlock()
	var others []flotilla.NodeID
	for _, m := range n.config.Members {
		if m.ID != n.config.ID {
			others = append(others, m.ID)
		}
	}
	after, line, err := n.faults().After(r, n.config.ID, others)
	if err != nil {
		return "", err
	}
	return line, n.apply(after)
}

// faults returns what is wrong with this node, by a lab.
func (n *node) faults() supervisor.Faults {
	faults := supervisor.Faults{}
	if wrong := n.wrong.Load(); wrong != nil {
		faults = *wrong
	}
	faults.Faults = n.transport.Faults()
	return faults
}

// setFaults replaces what is wrong with this node's links, clocks and disk.
func (n *node) setFaults(body []byte) error {
	var faults supervisor.Faults
	if err := json.Unmarshal(body, &faults); err != nil {
		return fmt.Errorf("the faults are not JSON of the right form: %w", err)
	}
	n.changing.Lock()
	defer n.changing.Unlock()
	return n.apply(faults)
}

// apply is setFaults, while changing is held.
func (n *node) apply(faults supervisor.Faults) error {
	if err := faults.Check(); err != nil {
		return err
	}
	before := n.transport.Faults()
	delay := time.Duration(faults.DiskDelayMillis) * time.Millisecond
	if err := errors.Join(n.transport.SetFaults(faults.Faults), n.server.SetClock(faults.Clock), n.disk.SetSyncDelay(delay)); err != nil {
		return err
	}
	n.noteFaults(before, faults)
	return nil
}

// noteFaults has the journal say what was broken or mended.
func (n *node) noteFaults(before transport.Faults, faults supervisor.Faults) {
	for _, m := range n.config.Members {
		n.noteWay("", m.ID, before.Outgoing[m.ID], faults.Outgoing[m.ID])
		n.noteWay("-here", m.ID, before.Incoming[m.ID], faults.Incoming[m.ID])
	}
	was := n.wrong.Swap(&faults)
	if was == nil {
		was = &supervisor.Faults{}
	}
	if was.Clock.OffsetMillis != faults.Clock.OffsetMillis {
		n.server.NoteFault("clock", 0, int64(faults.Clock.OffsetMillis))
	}
	if was.Clock.DriftPPM != faults.Clock.DriftPPM {
		n.server.NoteFault("drift", 0, int64(faults.Clock.DriftPPM))
	}
	if was.DiskDelayMillis != faults.DiskDelayMillis {
		n.server.NoteFault("disk", 0, int64(faults.DiskDelayMillis))
	}
}

// noteWay has the journal say what became of one way to or, with "-here", from a node.
func (n *node) noteWay(suffix string, other flotilla.NodeID, was, is transport.Fault) {
	switch {
	case was == is:
	case is.Cut:
		n.server.NoteFault("cut"+suffix, other, 0)
	case is == transport.Fault{}:
		n.server.NoteFault("healed"+suffix, other, 0)
	default:
		n.server.NoteFault("slow"+suffix, other, int64(is.DelayMillis))
	}
}

// order does something once.
func (n *node) order(body []byte) error {
	var order supervisor.Order
	if err := json.Unmarshal(body, &order); err != nil {
		return fmt.Errorf("the order is not JSON of the right form: %w", err)
	}
	switch order.Verb {
	case supervisor.Transfer:
		return n.server.Transfer(order.Group, order.To)
	case supervisor.Crash:
		return n.trap.Set(scenario.Boundary(order.Moment), moment.Last{Proof: order.Proof, Touch: order.Touch})
	}
	return fmt.Errorf("a node can not %q: it knows transfer and crash", order.Verb)
}
