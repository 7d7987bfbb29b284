//go:build !linux

package powercut

func serve(*FS) (unmount func() error, err error) { return nil, ErrUnavailable }
