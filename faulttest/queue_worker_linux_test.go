package faulttest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"flotilla"
	"flotilla/lab/labtest"
	"flotilla/queue/rest"
	"flotilla/supervisor"
)

// jobScript writes down that a job begins and ends, after as long as its message says. It
// dies with its worker, and when the worker lost the job's lease.
const jobScript = `echo "begin $FLOTILLA_JOB_ID $FLOTILLA_JOB_TOKEN" >>"$0"
sleep "$(cat)"
echo "end $FLOTILLA_JOB_ID $FLOTILLA_JOB_TOKEN" >>"$0"`

const workerProcesses = 4

// TestWorkerProcessesAreKilled kills `flotilla queue work` with all that it runs, again
// and again, and nodes meanwhile. Each job that was accepted is done, and none ends after
// somebody else began it.
func TestWorkerProcessesAreKilled(t *testing.T) {
	f := startFleet(t)
	client := &rest.Client{Addresses: f.queueAddresses()}
	t.Cleanup(client.Close)
	if err := client.Create(t.Context(), "jobs", rest.CreateQueue{}); err != nil {
		t.Fatal(err)
	}
	lines := filepath.Join(t.TempDir(), "lines")
	work := func() *labtest.Process {
		return labtest.Start(t, exec.Command(f.Program, "queue", "work", "jobs", "--addr", strings.Join(client.Addresses, ","),
			"--concurrency", "4", "--lease", "3s", "--", "sh", "-c", jobScript, lines))
	}
	var workers []*labtest.Process
	for range workerProcesses {
		workers = append(workers, work())
	}
	length := 15 * time.Second
	if *isLong {
		length = 5 * time.Minute
	}
	chance := rand.New(rand.NewPCG(11, 11))
	accepted, kills := map[string]bool{}, 0
	begun := time.Now()
	for round := 0; time.Since(begun) < length; round++ {
		seconds := "0.1"
		if round%15 == 0 {
			seconds = "5" // longer than a lease
		}
		results, err := client.Send(t.Context(), "jobs", rest.Message{Body: seconds})
		var p *rest.Problem
		switch {
		case errors.As(err, &p) && p.MayHaveHappened:
		case err != nil:
			t.Fatal(err)
		case results[0].Problem == nil:
			accepted[results[0].ID] = true
		}
		pass(30 * time.Millisecond)
		if round%30 == 29 {
			i := chance.IntN(len(workers))
			workers[i].Kill()
			workers[i] = work()
			kills++
		}
		if round%200 == 100 {
			f.Fault(supervisor.Kill, flotilla.NodeID(round/200%3+1))
		}
		if round%200 == 150 {
			f.Fault(supervisor.Restart, flotilla.NodeID(round/200%3+1))
		}
	}
	var seen jobLines
	ended := time.Now()
	labtest.Eventually(t, time.Minute, "all jobs to be done", func() bool {
		seen = readJobLines(t, lines)
		return len(seen.missing(accepted)) == 0
	}, func() string { return fmt.Sprintf("%d of %d are not", len(seen.missing(accepted)), len(accepted)) })
	t.Logf("%d jobs accepted, %d workers killed, %d jobs done more than once; all were done %v after the last was sent", len(accepted), kills, seen.again, time.Since(ended).Round(time.Millisecond))
	if seen.again > 4*kills {
		t.Error("that is more than were running when their workers died")
	}
	for _, what := range seen.overlaps {
		t.Error(what)
	}
}

// jobLines is what the jobs wrote.
type jobLines struct {
	ended    map[string]int
	again    int
	overlaps []string
}

func readJobLines(t *testing.T, path string) (seen jobLines) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	seen.ended = map[string]int{}
	last := map[string]string{} // the token of who began a job last
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		if len(words) != 3 {
			t.Fatalf("a line that nobody wrote: %q", line)
		}
		what, id, token := words[0], words[1], words[2]
		if what == "begin" {
			last[id] = token
			continue
		}
		if last[id] != token {
			seen.overlaps = append(seen.overlaps, fmt.Sprintf("job %s ended with lease %s, after it was begun with lease %s", id, token, last[id]))
		}
		if seen.ended[id]++; seen.ended[id] == 2 {
			seen.again++
		}
	}
	return seen
}

func (j jobLines) missing(accepted map[string]bool) (all []string) {
	for id := range accepted {
		if j.ended[id] == 0 {
			all = append(all, id)
		}
	}
	return all
}
