package faulttest

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"flotilla"
	"flotilla/check"
	"flotilla/supervisor"
)

// jobClients is how many produce, and as many work.
const jobClients = 16

// TestJobsSurvive kills nodes, each in turn and then all at once, and workers all the
// while, and judges what producers and workers were told: nothing is lost, nobody has a
// message that somebody else has, and it comes twice only where a lease ran out. With
// -long it goes on for five minutes.
func TestJobsSurvive(t *testing.T) {
	f := startFleet(t, "--groups", "3")
	l := newQueueLoad(t, f.queueAddresses())
	l.start(jobClients)
	length := 20 * time.Second
	if *isLong {
		length = 5 * time.Minute
	}
	end := time.Now().Add(length)
	chance := rand.New(rand.NewPCG(7, 7))
	for round := 0; time.Now().Before(end); round++ {
		if node := flotilla.NodeID(round%4 + 1); node <= 3 {
			f.Fault(supervisor.Kill, node)
			l.killSome(chance, faultTime())
			f.Fault(supervisor.Restart, node)
		} else {
			f.KillAll()
		}
		f.WaitReady(fmt.Sprintf("the fleet, in round %d,", round))
		l.killSome(chance, faultTime())
	}
	l.finish()
}

// killSome kills workers for some time.
func (l *queueLoad) killSome(chance *rand.Rand, d time.Duration) {
	for end := time.Now().Add(d); time.Now().Before(end); {
		pass(500 * time.Millisecond)
		l.killWorker(chance.IntN(jobClients))
	}
}

// queueAddresses returns where the nodes speak SQS, n1 first.
func (f *fleet) queueAddresses() (all []string) {
	f.T.Helper()
	plan, err := supervisor.ReadPlan(f.Dir)
	if err != nil {
		f.T.Fatal(err)
	}
	for _, n := range plan.Nodes {
		all = append(all, n.QueueAddr())
	}
	return all
}

// TestHarnessFindsJobsThatVanish plants a fault: messages that nobody knows of are purged.
func TestHarnessFindsJobsThatVanish(t *testing.T) {
	f := startFleet(t)
	l := newQueueLoad(t, f.queueAddresses())
	l.start(2)
	pass(2 * time.Second)
	c := newSQSClient(l.addresses, 0)
	for _, queue := range jobQueues {
		if err := c.do(t.Context(), "PurgeQueue", map[string]any{"QueueUrl": url(queue)}, nil); err != nil {
			t.Fatal(err)
		}
	}
	pass(time.Second)
	l.stop()
	l.producers.Wait()
	l.workers.Wait()
	if err := l.drain(t.Context(), 0); err != nil {
		t.Fatal(err)
	}
	v := check.Queues(l.recorder.History(), jobRules())
	if v.OK() {
		t.Error("messages vanished, and nobody noticed")
	}
	t.Logf("%.300s", v.String())
}
