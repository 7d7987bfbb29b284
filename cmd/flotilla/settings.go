package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"
)

// environPrefix begins the environment variables that set a node's flags:
// FLOTILLA_LISTEN_STORE is --listen-store.
const environPrefix = "FLOTILLA_"

// fillFlags sets the flags that were not given on the command line: from the
// environment, else from the YAML file, whose keys are the flags' names.
func fillFlags(flags *pflag.FlagSet, environ func(string) (string, bool), file string) error {
	settings, err := readSettings(flags, file)
	if err != nil {
		return err
	}
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Changed || !isSetting(f) || err != nil {
			return
		}
		source := "$" + environName(f.Name)
		value, ok := environ(environName(f.Name))
		if !ok {
			source = file + ": " + f.Name
			value, ok = settings[f.Name]
		}
		if !ok {
			return
		}
		if setErr := flags.Set(f.Name, value); setErr != nil {
			err = fmt.Errorf("%s is %q: %s", source, value, wanted(f.Value.Type()))
		}
	})
	return err
}

// wanted says what to write for a flag of a type. Texts take anything.
func wanted(kind string) string {
	if kind == "bool" {
		return "write true or false"
	}
	return "write a whole number, such as 3"
}

// isSetting tells what people set from what only a command line has.
func isSetting(f *pflag.Flag) bool { return !f.Hidden && f.Name != "help" }

func environName(flag string) string {
	return environPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// readSettings reads a YAML file into flag names and values. A key that is no
// flag is an error: a setting with a slip in its name must not be ignored.
func readSettings(flags *pflag.FlagSet, file string) (map[string]string, error) {
	if file == "" {
		return nil, nil
	}
	raw, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the settings: %w", err)
	}
	settings, err := parseSettings(raw)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	for key := range settings {
		if f := flags.Lookup(key); f == nil || !isSetting(f) || key == "config" {
			var known []string
			flags.VisitAll(func(f *pflag.Flag) {
				if isSetting(f) && f.Name != "config" {
					known = append(known, f.Name)
				}
			})
			return nil, fmt.Errorf("%s: there is no setting %q; there are %s", file, key, strings.Join(known, ", "))
		}
	}
	return settings, nil
}

// parseSettings turns YAML into flag values. Underscores in keys are hyphens; a
// list becomes "a,b", a map "k=v,k=v": that is how flags write them.
func parseSettings(raw []byte) (map[string]string, error) {
	var document map[string]yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(raw))
	if err := decoder.Decode(&document); err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	settings := make(map[string]string, len(document))
	for key, node := range document {
		name := strings.ReplaceAll(key, "_", "-")
		if _, isTwice := settings[name]; isTwice {
			return nil, fmt.Errorf("%s is set twice", name)
		}
		value, err := flagValue(&node)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		settings[name] = value
	}
	return settings, nil
}

func flagValue(node *yaml.Node) (string, error) {
	switch node.Kind {
	case yaml.ScalarNode:
		return node.Value, nil
	case yaml.SequenceNode:
		var parts []string
		if err := node.Decode(&parts); err != nil {
			return "", err
		}
		return strings.Join(parts, ","), nil
	case yaml.MappingNode:
		var pairs map[string]string
		if err := node.Decode(&pairs); err != nil {
			return "", err
		}
		parts := make([]string, 0, len(pairs))
		for key, value := range pairs {
			parts = append(parts, key+"="+value)
		}
		slices.Sort(parts)
		return strings.Join(parts, ","), nil
	default:
		return "", errors.New("this is no text, list or map")
	}
}
