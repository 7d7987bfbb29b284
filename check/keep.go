package check

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// Finding is what is needed to look for the bug behind a broken promise.
type Finding struct {
	Plan     string // what was played
	Verdict  string // in words
	History  []Operation
	Queues   []QueueOperation
	Verdicts []Verdict // one of which may have a Picture
}

// Keep writes it into a folder, which it makes if it is not there: plan.txt, verdict.txt,
// history.jsonl (an operation a line), queues.jsonl in the same way and, if an order was
// searched for in vain, picture.html. There is no file of what there is nothing of.
func (f Finding) Keep(dir string) error {
	err := os.MkdirAll(dir, 0o755)
	if err == nil {
		err = errors.Join(
			os.WriteFile(filepath.Join(dir, "plan.txt"), []byte(f.Plan), 0o644),
			os.WriteFile(filepath.Join(dir, "verdict.txt"), []byte(f.Verdict), 0o644),
			f.keepPicture(filepath.Join(dir, "picture.html")))
	}
	if err == nil && len(f.History) > 0 {
		err = keepLines(filepath.Join(dir, "history.jsonl"), f.History)
	}
	if err == nil && len(f.Queues) > 0 {
		err = keepLines(filepath.Join(dir, "queues.jsonl"), f.Queues)
	}
	if err != nil {
		return fmt.Errorf("keep what was found: %w", err)
	}
	return nil
}

// keepLines writes operations, a line each.
func keepLines[T any](name string, history []T) error {
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(file)
	encoder := json.NewEncoder(w)
	for _, o := range history {
		if err = encoder.Encode(o); err != nil {
			break
		}
	}
	return errors.Join(err, w.Flush(), file.Close())
}

// keepPicture writes the first picture that there is.
func (f Finding) keepPicture(name string) error {
	for _, v := range f.Verdicts {
		if v.drawn == nil {
			continue
		}
		file, err := os.Create(name)
		if err != nil {
			return err
		}
		return errors.Join(v.Picture(file), file.Close())
	}
	return nil
}
