package supervisor

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// lockOffset is far behind the file's end: a locked range can not be read by
// others on Windows, and the process id at the beginning shall be.
const lockOffset = 1 << 30

// tryLock locks a file for this process, or returns errLocked.
func tryLock(file *os.File) error {
	err := windows.LockFileEx(windows.Handle(file.Fd()),
		windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY,
		0, 1, 0, &windows.Overlapped{Offset: lockOffset})
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return errLocked
	}
	return err
}
