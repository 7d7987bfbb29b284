package cluster

import (
	"encoding/binary"
	"errors"
	"maps"
	"slices"

	"flotilla"
)

// directoryMachine is the directory as a machine: the same log, the same rules
// and the same promise as everything else. It refuses, with words, whatever
// would break an invariant of Directory; then nothing is changed.
//
// A command is, with numbers as uvarints:
//
//	'd' format:1 kind:1 ifVersion body
//	ifVersion: 0, or the version that the directory must have (a compare-and-set)
//
//	kind 'b' bootstrap   body: encoded Directory (only if there is none yet)
//	     'n' put node    body: node (as in Directory.Encode)
//	     'd' draining    body: node id | 0 or 1
//	     'c' setting     body: name | value (empty: the setting is removed)
//	     'g' replicas    body: group (a new group may be made this way, too)
//	     's' move slots  body: first | last | group
//	     'r' read        body: none; the reply is an encoded Directory
//
// A reply is 'o' version, or 'e' and a text.
type directoryMachine struct{}

var _ flotilla.Machine = directoryMachine{}

const (
	directoryBootstrap   = 'b'
	directoryPutNode     = 'n'
	directorySetDraining = 'd'
	directorySetSetting  = 'c'
	directorySetReplicas = 'g'
	directoryMoveSlots   = 's'
	directoryRead        = 'r'
)

// Begin does nothing: in a directory nothing falls due.
func (directoryMachine) Begin(*flotilla.Tx) {}

// End does nothing.
func (directoryMachine) End(*flotilla.Tx) {}

// Deadline returns Never.
func (directoryMachine) Deadline(flotilla.Reader) flotilla.Millis { return flotilla.Never }

// Apply carries out one change.
func (directoryMachine) Apply(tx *flotilla.Tx, command []byte) []byte {
	kind, in, ok := openDirectoryCommand(command)
	if !ok {
		return directoryError(errBadDirectory.Error())
	}
	ifVersion := in.uvarint()
	d := readDirectory(tx)
	if ifVersion != 0 && ifVersion != d.Version {
		return directoryError("directory: it was changed meanwhile")
	}
	if d.Version == 0 && kind != directoryBootstrap {
		return directoryError("directory: it is still empty")
	}
	event, err := changeDirectory(d, kind, in)
	if err != nil {
		return directoryError(err.Error())
	}
	if err := d.check(); err != nil {
		return directoryError(err.Error())
	}
	d.Version++
	writeDirectory(tx, d)
	if tx.Emit != nil {
		event.System, event.Group, event.Index = flotilla.SystemDirectory, tx.Group, tx.Index
		tx.Emit(event)
	}
	return binary.AppendUvarint([]byte{'o'}, d.Version)
}

// Read answers the one question there is: what does the directory say?
func (directoryMachine) Read(view *flotilla.View, command []byte) []byte {
	kind, in, ok := openDirectoryCommand(command)
	in.uvarint()
	if !ok || kind != directoryRead || !in.done() {
		return directoryError(errBadDirectory.Error())
	}
	return readDirectory(view).Encode()
}

func openDirectoryCommand(command []byte) (kind byte, in *directoryBytes, ok bool) {
	if len(command) < 4 || flotilla.System(command[0]) != flotilla.SystemDirectory || command[1] != directoryFormat {
		return 0, &directoryBytes{bad: true}, false
	}
	return command[2], &directoryBytes{left: command[3:]}, true
}

// changeDirectory changes the picture as a command's body says. d is the
// caller's own; when there is an error it is of no more use.
func changeDirectory(d *Directory, kind byte, in *directoryBytes) (flotilla.Event, error) {
	var event flotilla.Event
	var err error
	switch kind {
	case directoryBootstrap:
		event, err = bootstrap(d, in)
	case directoryPutNode:
		event, err = putNode(d, in)
	case directorySetDraining:
		event, err = setDraining(d, in)
	case directorySetSetting:
		event, err = setSetting(d, in)
	case directorySetReplicas:
		event, err = setReplicas(d, in)
	case directoryMoveSlots:
		event, err = moveSlots(d, in)
	default:
		return event, errors.New("directory: unknown command")
	}
	if err == nil && !in.done() {
		err = errBadDirectory
	}
	return event, err
}

func bootstrap(d *Directory, in *directoryBytes) (flotilla.Event, error) {
	if d.Version != 0 {
		return flotilla.Event{}, errors.New("directory: it is not empty")
	}
	first, err := decodeDirectory(in.left)
	if err != nil {
		return flotilla.Event{}, err
	}
	if len(first.Nodes) == 0 {
		return flotilla.Event{}, errors.New("directory: a first picture needs nodes")
	}
	in.left = nil
	first.Version = 0
	*d = *first
	return flotilla.Event{Name: "bootstrap"}, nil
}

func putNode(d *Directory, in *directoryBytes) (flotilla.Event, error) {
	n := in.node()
	i, found := slices.BinarySearchFunc(d.Nodes, n.ID, compareNode)
	switch {
	case in.bad || n.ID == 0:
		return flotilla.Event{}, errBadDirectory
	case found:
		d.Nodes[i] = n
	case len(d.Nodes) == MaxNodes:
		return flotilla.Event{}, errors.New("directory: there are too many nodes")
	default:
		d.Nodes = slices.Insert(d.Nodes, i, n)
	}
	return flotilla.Event{Name: "node", Key: []byte(n.ID.String())}, nil
}

func setDraining(d *Directory, in *directoryBytes) (flotilla.Event, error) {
	id := flotilla.NodeID(in.uvarint())
	isDraining := in.upTo(1) == 1
	i, found := slices.BinarySearchFunc(d.Nodes, id, compareNode)
	if in.bad {
		return flotilla.Event{}, errBadDirectory
	}
	if !found {
		return flotilla.Event{}, errors.New("directory: there is no such node")
	}
	d.Nodes[i].IsDraining = isDraining
	return flotilla.Event{Name: "draining", Key: []byte(id.String())}, nil
}

func setSetting(d *Directory, in *directoryBytes) (flotilla.Event, error) {
	name, value := in.text(MaxSettingName), in.text(MaxSettingValue)
	if in.bad || name == "" {
		return flotilla.Event{}, errors.New("directory: a setting's name or value is empty or too long")
	}
	if value == "" {
		delete(d.Settings, name)
	} else {
		d.Settings[name] = value
	}
	if len(d.Settings) > MaxSettings {
		return flotilla.Event{}, errors.New("directory: there are too many settings")
	}
	return flotilla.Event{Name: "setting", Key: []byte(name), Body: []byte(value)}, nil
}

func setReplicas(d *Directory, in *directoryBytes) (flotilla.Event, error) {
	g := in.group()
	i, found := slices.BinarySearchFunc(d.Groups, g.ID, compareGroup)
	var before Group
	if found {
		before = d.Groups[i]
	}
	switch {
	case in.bad:
		return flotilla.Event{}, errBadDirectory
	case reused(before, g):
		return flotilla.Event{}, errors.New("directory: a replica id belongs to another copy")
	case found:
		d.Groups[i] = g
	case len(d.Groups) > MaxGroups:
		return flotilla.Event{}, errors.New("directory: there are too many groups")
	default:
		d.Groups = slices.Insert(d.Groups, i, g)
	}
	return flotilla.Event{Name: "group", Key: []byte(g.ID.String())}, nil
}

// reused reports whether a replica id moves from one node to another, or is
// named twice: each copy that ever was keeps its number to itself.
func reused(before, after Group) bool {
	owner := map[flotilla.ReplicaID]flotilla.NodeID{}
	for _, r := range before.Replicas {
		owner[r.ID] = r.Node
	}
	seen := map[flotilla.ReplicaID]bool{}
	for _, r := range after.Replicas {
		node, known := owner[r.ID]
		if seen[r.ID] || known && node != r.Node {
			return true
		}
		seen[r.ID] = true
	}
	return false
}

func moveSlots(d *Directory, in *directoryBytes) (flotilla.Event, error) {
	first, last := in.upTo(flotilla.Slots-1), in.upTo(flotilla.Slots-1)
	group := in.groupID()
	if in.bad || first > last {
		return flotilla.Event{}, errBadDirectory
	}
	for slot := first; slot <= last; slot++ {
		d.Slots[slot] = group
	}
	return flotilla.Event{Name: "slots", Key: []byte(group.String())}, nil
}

// writeDirectory makes the state say what d says. Directories are small and
// change rarely: writing all of it is simpler than writing what changed.
func writeDirectory(tx *flotilla.Tx, d *Directory) {
	tx.DeleteRange(prefixRange(string(rune(flotilla.SystemDirectory))))
	tx.Set([]byte(directoryVersionKey), binary.AppendUvarint(nil, d.Version))
	for _, n := range d.Nodes {
		key := binary.BigEndian.AppendUint64([]byte(directoryNodes), uint64(n.ID))
		tx.Set(key, appendNode(nil, n))
	}
	for _, g := range d.Groups {
		key := binary.BigEndian.AppendUint32([]byte(directoryGroups), uint32(g.ID))
		tx.Set(key, appendGroup(nil, g))
	}
	for _, name := range slices.Sorted(maps.Keys(d.Settings)) {
		tx.Set([]byte(directorySettings+name), []byte(d.Settings[name]))
	}
	tx.Set([]byte(directorySlotsKey), appendSlots(nil, &d.Slots))
}

func directoryError(text string) []byte { return append([]byte{'e'}, text...) }

// directoryReply returns the version that a change made, or why there was none.
func directoryReply(reply []byte) (version uint64, err error) {
	if len(reply) > 0 && reply[0] == 'e' {
		return 0, errors.New(string(reply[1:]))
	}
	if len(reply) == 0 || reply[0] != 'o' {
		return 0, errBadDirectory
	}
	in := directoryBytes{left: reply[1:]}
	version = in.uvarint()
	if !in.done() {
		return 0, errBadDirectory
	}
	return version, nil
}

// The commands as bytes. ifVersion is 0 for "whatever it is".

func directoryCommand(kind byte, ifVersion uint64) []byte {
	return binary.AppendUvarint([]byte{byte(flotilla.SystemDirectory), directoryFormat, kind}, ifVersion)
}

func bootstrapCommand(first *Directory) []byte {
	return append(directoryCommand(directoryBootstrap, 0), first.Encode()...)
}

func putNodeCommand(ifVersion uint64, n Member) []byte {
	return appendNode(directoryCommand(directoryPutNode, ifVersion), n)
}

func setDrainingCommand(ifVersion uint64, id flotilla.NodeID, isDraining bool) []byte {
	out := binary.AppendUvarint(directoryCommand(directorySetDraining, ifVersion), uint64(id))
	if isDraining {
		return append(out, 1)
	}
	return append(out, 0)
}

func setSettingCommand(ifVersion uint64, name, value string) []byte {
	return appendText(appendText(directoryCommand(directorySetSetting, ifVersion), name), value)
}

func setReplicasCommand(ifVersion uint64, g Group) []byte {
	return appendGroup(directoryCommand(directorySetReplicas, ifVersion), g)
}

func moveSlotsCommand(ifVersion uint64, first, last flotilla.Slot, to flotilla.GroupID) []byte {
	out := binary.AppendUvarint(directoryCommand(directoryMoveSlots, ifVersion), uint64(first))
	out = binary.AppendUvarint(out, uint64(last))
	return binary.AppendUvarint(out, uint64(to))
}

func readCommand() []byte { return directoryCommand(directoryRead, 0) }
