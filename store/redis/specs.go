package redis

import (
	"bytes"
	_ "embed" // commands.json
	"encoding/json"
	"strings"

	"flotilla"
	"flotilla/store"
)

// commandsJSON is what COMMAND answers beyond the table of package store: each
// command's flags, ACL categories, tips, key specifications and the structure of
// its arguments, as Redis 7.2.6 tells them. It is made from the answers of such a
// server: go test ./store/redis -run TestCommandsLikeRedis -update. The texts are
// Redis's own, under the license in commands.LICENSE.
//
//go:embed commands.json
var commandsJSON []byte

// commandSpec is one command in commands.json. Those of ours alone have none.
type commandSpec struct {
	Flags []string  `json:"flags"`
	ACL   []string  `json:"acl"`
	Tips  []string  `json:"tips"`
	Keys  []keySpec `json:"keys"`
	// Docs are the pairs of COMMAND DOCS that the table does not have, in order.
	Docs docs `json:"docs,omitempty"`
}

// docs is an object of JSON whose order counts, as the encoder writes it.
type docs []pair

type pair struct {
	name  string
	value any // string, json.Number, []any, or docs
}

// keySpec says where keys are: where to begin, and how to go on.
type keySpec struct {
	Notes string   `json:"notes,omitempty"`
	Flags []string `json:"flags"`
	Begin search   `json:"begin_search"`
	Find  search   `json:"find_keys"`
}

// search is one step; Spec is empty if Type is unknown.
type search struct {
	Type string `json:"type"` // index, keyword; range, keynum; unknown
	Spec docs   `json:"spec"`
}

// readSpecs reads commands.json.
func readSpecs() map[string]*commandSpec {
	specs := map[string]*commandSpec{}
	err := json.Unmarshal(commandsJSON, &specs)
	flotilla.Assert(err == nil, "commands.json can be read: %v", err)
	return specs
}

// UnmarshalJSON keeps the order of the pairs, and numbers as they are written.
func (d *docs) UnmarshalJSON(raw []byte) error {
	in := json.NewDecoder(bytes.NewReader(raw))
	in.UseNumber()
	value, err := readOrdered(in)
	if err == nil {
		*d = value.(docs)
	}
	return err
}

// readOrdered reads one value.
func readOrdered(in *json.Decoder) (any, error) {
	token, err := in.Token()
	if err != nil {
		return nil, err
	}
	delim, ok := token.(json.Delim)
	if !ok {
		return token, nil
	}
	object, list := docs{}, []any{}
	for in.More() {
		name := ""
		if delim == '{' {
			key, err := in.Token()
			if err != nil {
				return nil, err
			}
			name = key.(string)
		}
		value, err := readOrdered(in)
		if err != nil {
			return nil, err
		}
		object, list = append(object, pair{name, value}), append(list, value)
	}
	if _, err := in.Token(); err != nil { // the closing one
		return nil, err
	}
	if delim == '{' {
		return object, nil
	}
	return list, nil
}

// number returns a number of a search's spec.
func (s *search) number(name string) int {
	for _, p := range s.Spec {
		if n, ok := p.value.(json.Number); ok && p.name == name {
			i, _ := n.Int64()
			return int(i)
		}
	}
	return 0
}

// ordered writes a value: flags are a set of words, history is a set of lists.
func (e *encoder) ordered(name string, value any) {
	switch value := value.(type) {
	case string:
		e.text(value)
	case json.Number:
		n, _ := value.Int64()
		e.int(int(n))
	case docs:
		e.mapOf(len(value))
		e.pairs(value)
	case []any:
		isFlags := strings.HasSuffix(name, "flags")
		if isFlags || name == "history" {
			e.set(len(value))
		} else {
			e.array(len(value))
		}
		for _, item := range value {
			if isFlags {
				e.status(item.(string))
			} else {
				e.ordered("", item)
			}
		}
	}
}

func (e *encoder) pairs(all docs) {
	for _, p := range all {
		e.text(p.name)
		e.ordered(p.name, p.value)
	}
}

func (e *encoder) keySpec(k *keySpec) {
	n := 3
	if k.Notes != "" {
		n++
	}
	e.mapOf(n)
	if k.Notes != "" {
		e.text("notes")
		e.text(k.Notes)
	}
	e.text("flags")
	e.statuses(k.Flags)
	for _, step := range []struct {
		name string
		search
	}{{"begin_search", k.Begin}, {"find_keys", k.Find}} {
		e.text(step.name)
		e.mapOf(2)
		e.text("type")
		e.text(step.Type)
		e.text("spec")
		e.ordered("", step.Spec)
	}
}

// flaggedKey is a key of a command, and what is done to it.
type flaggedKey struct {
	key   []byte
	flags []string
}

// flagKeys says of each key what the command does to it. keys are those among args.
func (s *commandSpec) flagKeys(cmd *store.Command, args, keys [][]byte) []flaggedKey {
	flags := make([][]string, len(args))
	for i := range s.Keys {
		for _, at := range s.Keys[i].positions(args) {
			flags[at] = s.Keys[i].Flags
		}
	}
	flagged, at := make([]flaggedKey, len(keys)), 1
	for i, key := range keys {
		for at+1 < len(args) && !isSame(key, args[at]) {
			at++
		}
		flagged[i] = flaggedKey{key, variableFlags(cmd, args, i, flags[at])}
	}
	return flagged
}

// isSame says whether a key, which is part of the arguments, is this one of them.
func isSame(key, arg []byte) bool {
	return len(key) == len(arg) && (len(key) == 0 || &key[0] == &arg[0])
}

// positions returns which arguments are keys by a specification.
func (k *keySpec) positions(args [][]byte) (at []int) {
	if k.Begin.Type != "index" {
		return nil
	}
	first, last, step := k.Begin.number("index"), 0, 1
	switch k.Find.Type {
	case "range":
		last, step = first+k.Find.number("lastkey"), k.Find.number("keystep")
		if k.Find.number("lastkey") < 0 {
			last = len(args) + k.Find.number("lastkey")
		}
	case "keynum":
		if first+k.Find.number("keynumidx") >= len(args) {
			return nil
		}
		n, ok := decimal(args[first+k.Find.number("keynumidx")])
		if !ok {
			return nil
		}
		first += k.Find.number("firstkey")
		step = k.Find.number("keystep")
		last = first + (n-1)*step
	default:
		return nil
	}
	for ; first <= last && first < len(args); first += step {
		at = append(at, first)
	}
	return at
}

// variableFlags are those of commands whose options decide what is done to key i.
func variableFlags(cmd *store.Command, args [][]byte, i int, flags []string) []string {
	has := func(words ...string) bool {
		for _, arg := range args[2:] {
			for _, word := range words {
				if strings.EqualFold(string(arg), word) {
					return true
				}
			}
		}
		return false
	}
	switch {
	case cmd.Name == "set" && has("get"):
		return []string{"RW", "access", "update"}
	case cmd.Name == "set":
		return []string{"OW", "update"}
	case cmd.Name == "bitfield" && !has("set", "incrby"):
		return []string{"RO", "access"}
	case cmd.Name == "bitfield":
		return []string{"RW", "access", "update"}
	case cmd.Name == "sort" && i == 1:
		return []string{"OW", "update"}
	}
	return flags
}
