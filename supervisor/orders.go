package supervisor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"

	"flotilla"
)

// OrderPath is where a node that runs for a lab takes an Order, as JSON, by POST, with
// the token as bearer.
const OrderPath = "/lab/orders"

// Order has a node do something once. It is forgotten when the node ends.
type Order struct {
	Verb   Verb             `json:"verb"`
	Group  flotilla.GroupID `json:"group"`            // Transfer
	To     flotilla.NodeID  `json:"to,omitempty"`     // Transfer; 0 means to whom it likes
	Moment string           `json:"moment,omitempty"` // Crash, in the words of package scenario; empty: none any more
	// Proof is a file that the node makes when the moment has come. One that ends without it
	// ended for another reason.
	Proof string `json:"proof,omitempty"`
	// Touch is a file that the node looks for right before it crashes. A disk of
	// lab/powercut forgets then.
	Touch string `json:"touch,omitempty"`
}

// asking is an order on its way to those nodes that may have to carry it out.
type asking struct {
	labs     []*lab
	document []byte
	isForOne bool   // it is done if one of them has done it
	said     string // for people, once it is done
}

// order says whom a request's order goes to. A node that does not run is told nothing:
// it leads nothing, and its next life begins without orders.
func (l *loop) order(r Request) outcome {
	order := r.Order
	order.Verb = r.Verb
	document, err := json.Marshal(order)
	flotilla.Assert(err == nil, "an order is always JSON: %v", err)
	a := asking{document: document, isForOne: r.Verb == Transfer, said: fmt.Sprintf("%v is being handed over", order.Group)}
	if r.Verb == Crash {
		a.said = fmt.Sprintf("%v: waiting for the moment %q", r.Nodes, order.Moment)
	}
	for i, m := range l.members {
		isMeant := r.Verb == Transfer
		for _, node := range r.Nodes {
			isMeant = isMeant || node == m.plan.Node
		}
		if isMeant && m.phase == Running {
			a.labs = append(a.labs, l.labs[i])
		}
	}
	if len(a.labs) == 0 {
		return outcome{err: errors.New("none of the nodes that it concerns is running")}
	}
	return outcome{asked: []asking{a}}
}

// carryOut gives the order, to all at once.
func (a asking) carryOut(ctx context.Context) (lines []string, err error) {
	errs := make([]error, len(a.labs))
	var asked sync.WaitGroup
	for i, b := range a.labs {
		asked.Go(func() { errs[i] = b.post(ctx, OrderPath, a.document) })
	}
	asked.Wait()
	done := 0
	for _, err := range errs {
		if err == nil {
			done++
		}
	}
	if done == len(errs) || a.isForOne && done > 0 {
		return []string{a.said}, nil
	}
	return nil, errors.Join(errs...)
}
