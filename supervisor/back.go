package supervisor

import (
	"context"
	"time"

	"flotilla"
)

// backInterval is how often a node that was started again is asked whether it is ready.
const backInterval = 200 * time.Millisecond

// noteBack tells the loop once a node that died, or was killed, answers and is ready
// again. It gives up when that process is gone, or the fleet.
func (l *loop) noteBack(node NodePlan, p *process) {
	ticker := time.NewTicker(backInterval)
	defer ticker.Stop()
	var back chan<- flotilla.NodeID // nil until the node is back
	for {
		select {
		case <-p.gone:
			return
		case <-l.done:
			return
		case back <- node.Node:
			return
		case <-ticker.C:
		}
		status := Survey(context.Background(), []NodePlan{node})[0].Status // a second at most
		if status != nil && status.IsReady {
			back = l.backs
		}
	}
}
