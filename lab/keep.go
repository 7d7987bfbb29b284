package lab

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"flotilla/check"
)

// Keep writes into the run's folder what is needed to look for a bug: plan.txt,
// verdict.txt, history.jsonl (an operation a line) and, if an order was searched for in
// vain, picture.html.
func (l *Lab) Keep(r *Result) error {
	text := fmt.Sprintf("# Played with seed %d.\n%s", l.Seed, l.Plan)
	err := errors.Join(
		os.WriteFile(filepath.Join(l.Dir, "plan.txt"), []byte(text), 0o644),
		os.WriteFile(filepath.Join(l.Dir, "verdict.txt"), []byte(r.String()), 0o644),
		l.keepHistory(r.History),
		l.keepPicture(r.linear))
	if err != nil {
		return fmt.Errorf("keep what was found: %w", err)
	}
	return nil
}

func (l *Lab) keepHistory(history []check.Operation) error {
	file, err := os.Create(filepath.Join(l.Dir, "history.jsonl"))
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

func (l *Lab) keepPicture(v check.Verdict) error {
	file, err := os.Create(filepath.Join(l.Dir, "picture.html"))
	if err != nil {
		return err
	}
	err = errors.Join(v.Picture(file), file.Close())
	if errors.Is(err, check.ErrNoPicture) {
		return os.Remove(file.Name())
	}
	return err
}
