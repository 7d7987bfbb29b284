package store

// zsetCommands returns the family's part of the table.
func zsetCommands() []*Command { return zsetTable }
