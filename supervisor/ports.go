package supervisor

import (
	"fmt"
	"net"
)

// offsetStep is how far apart the offsets are that CheckPorts suggests.
const offsetStep = 100

// CheckPorts finds out whether the fleet's ports are free, before anything is
// started. The error names the port, its owner if known, and a way out.
func CheckPorts(plan Plan) error {
	taken := takenPort(plan)
	if taken == 0 {
		return nil
	}
	who := ""
	if owner := portOwner(taken); owner != "" {
		who = " (by " + owner + ")"
	}
	return fmt.Errorf("port %d is taken%s: stop the other server, or use --port-offset=%d",
		taken, who, freeOffset(plan))
}

// takenPort returns the first of the fleet's ports that can not be listened on, or 0.
func takenPort(plan Plan) int {
	for _, n := range plan.Nodes {
		for _, port := range n.ports() {
			listener, err := net.Listen("tcp", loopback(port))
			if err != nil {
				return port
			}
			_ = listener.Close() // nothing was written to it
		}
	}
	return 0
}

// freeOffset returns the next offset at which the whole fleet finds free ports.
func freeOffset(plan Plan) int {
	start := plan.PortOffset/offsetStep*offsetStep + offsetStep
	plan.Nodes = append([]NodePlan(nil), plan.Nodes...)
	for offset := start; offset < start+20*offsetStep; offset += offsetStep {
		plan.PortOffset = offset
		plan.setPorts()
		if takenPort(plan) == 0 {
			return offset
		}
	}
	return start
}
