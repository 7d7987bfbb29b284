package storage

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"strings"

	"flotilla"
	"flotilla/consensus"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// Small files outside the stores. They are text, so that a person in trouble can
// read them, and are replaced as a whole: temp file, fsync, rename, fsync the folder.
//
//	flotilla replicas 1
//	0 2                     group and replica id
//	3 17
//	crc32c 1f0a55b2         of all the lines above

const replicasHeader = "flotilla replicas 1\n"

func formatReplicas(replicas []consensus.Replica) []byte {
	var b bytes.Buffer
	b.WriteString(replicasHeader)
	for _, r := range replicas {
		fmt.Fprintf(&b, "%d %d\n", uint32(r.Group), uint64(r.ID))
	}
	fmt.Fprintf(&b, "crc32c %08x\n", crc32.Checksum(b.Bytes(), castagnoli))
	return b.Bytes()
}

func parseReplicas(text []byte) ([]consensus.Replica, error) {
	at := bytes.LastIndex(text, []byte("crc32c "))
	if at < 0 || !bytes.HasPrefix(text, []byte(replicasHeader)) {
		return nil, errors.New("not a list of replicas")
	}
	body := text[:at]
	if string(text[at:]) != fmt.Sprintf("crc32c %08x\n", crc32.Checksum(body, castagnoli)) {
		return nil, errChecksum
	}
	var replicas []consensus.Replica
	for line := range strings.Lines(string(body[len(replicasHeader):])) {
		var group uint32
		var id uint64
		if _, err := fmt.Sscanf(line, "%d %d\n", &group, &id); err != nil {
			return nil, fmt.Errorf("line %q: %w", line, err)
		}
		replicas = append(replicas, consensus.Replica{Group: flotilla.GroupID(group), ID: flotilla.ReplicaID(id)})
	}
	return replicas, nil
}

// readReplicas returns an empty list if there is no file.
func readReplicas(files vfs.FS, name string) ([]consensus.Replica, error) {
	text, err := readFile(files, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	replicas, err := parseReplicas(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return replicas, nil
}

func readFile(files vfs.FS, name string) ([]byte, error) {
	file, err := files.Open(name)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(file)
	return text, errors.Join(err, file.Close())
}

// writeFile replaces a file durably: after a power cut it is the old or the new one.
func writeFile(files vfs.FS, name string, content []byte) error {
	temp := name + ".new"
	file, err := files.Create(temp, vfs.WriteCategoryUnspecified)
	if err != nil {
		return err
	}
	_, err = file.Write(content)
	if err := errors.Join(err, file.Sync(), file.Close()); err != nil {
		return fmt.Errorf("write %s: %w", temp, err)
	}
	if err := files.Rename(temp, name); err != nil {
		return err
	}
	return syncDir(files, files.PathDir(name))
}

// syncDir makes the names in a folder durable.
func syncDir(files vfs.FS, dir string) error {
	d, err := files.OpenDir(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func exists(files vfs.FS, name string) (bool, error) {
	_, err := files.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
