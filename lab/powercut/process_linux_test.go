package powercut

import (
	"os"
	"testing"

	"flotilla/lab/labtest"
)

// childEnv has the test's own program work as one of the children of
// database_linux_test.go, because what is to be killed must be another process.
const childEnv = "POWERCUT_CHILD"

func TestMain(m *testing.M) {
	if name := os.Getenv(childEnv); name != "" {
		os.Exit(runChild(name, os.Args[1:]))
	}
	labtest.Main(m)
}
