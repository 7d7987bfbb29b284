package store

// setCommands returns the family's part of the table.
func setCommands() []*Command { return setTable }
