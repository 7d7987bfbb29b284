package store

// hashCommands returns the family's part of the table.
func hashCommands() []*Command { return hashTable }
