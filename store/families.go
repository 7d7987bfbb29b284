package store

// families lists the table's parts, one for each file of commands.
func families() [][]*Command {
	return [][]*Command{
		stringCommands(),
		bitCommands(),
		hyperLogLogCommands(),
		genericCommands(),
		hashCommands(),
		listCommands(),
		setCommands(),
		zsetCommands(),
		doorCommands(),
	}
}
