package scenario

import (
	"embed"
	"fmt"
	"slices"
	"strings"

	"flotilla"
)

// plans are the texts that come with the program.
//
//go:embed plans/*.txt
var plans embed.FS

// Names returns the names of the plans that come with the program, in order.
func Names() (names []string) {
	entries, err := plans.ReadDir("plans")
	flotilla.Assert(err == nil, "the plans are part of the program: %v", err)
	for _, e := range entries {
		names = append(names, strings.TrimSuffix(e.Name(), ".txt"))
	}
	return names
}

// Text returns the text of a plan that comes with the program, with its comments.
// The error names the one that was probably meant.
func Text(name string) (string, error) {
	names := Names()
	if !slices.Contains(names, name) {
		return "", fmt.Errorf("there is no plan %q: %s", name, suggest(name, names))
	}
	text, err := plans.ReadFile("plans/" + name + ".txt")
	if err != nil {
		return "", fmt.Errorf("read the plan %s: %w", name, err)
	}
	return string(text), nil
}

// Load returns a plan that comes with the program.
func Load(name string) (*Plan, error) {
	text, err := Text(name)
	if err != nil {
		return nil, err
	}
	p, err := Parse(text)
	if err != nil {
		return nil, fmt.Errorf("the plan %s: %w", name, err)
	}
	return p, nil
}
