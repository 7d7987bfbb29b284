package bench

import (
	"os"
	"os/exec"
	"runtime"
	"testing"
	"time"
)

// TestOthersAreToldFromOurs has a process burn a processor, once as a stranger and once
// as one of ours: the two shares differ by what it took.
func TestOthersAreToldFromOurs(t *testing.T) {
	if os.Getenv("FLOTILLA_BURN") != "" {
		for began := time.Now(); time.Since(began) < 20*time.Second; {
		}
		return
	}
	if runtime.GOOS != "linux" {
		t.Skip("needs /proc")
	}
	burner := exec.Command(os.Args[0], "-test.run", "^TestOthersAreToldFromOurs$")
	burner.Env = append(os.Environ(), "FLOTILLA_BURN=1")
	if err := burner.Start(); err != nil {
		t.Fatal(err)
	}
	pid := burner.Process.Pid
	o := WatchOthers([]int{pid})
	for readUsage([]int{pid}).server < 500*time.Millisecond { // it has run for half a second
		runtime.Gosched()
		<-time.After(10 * time.Millisecond)
	}
	asStranger, asOurs := o.Share(nil), o.Share([]int{pid})
	_ = burner.Process.Kill()
	_ = burner.Wait() // it was killed
	if asStranger-asOurs <= 0.01 || asOurs < 0 || asStranger > 1.1 {
		t.Errorf("as a stranger %.2f of the processors, as ours %.2f", asStranger, asOurs)
	}
}
