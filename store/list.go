package store

// listCommands returns the family's part of the table.
func listCommands() []*Command { return listTable }
