// Package storetab is the console's tab of the store: keys and values, where a key is, a
// command line, and one read at all four levels side by side.
//
// Read in this order: New (tab.go), keys.go, levels.go. The page is page.html and
// store.js. What it writes and reads goes through the node's own Redis door, but for reads
// at a level, which are asked of the host. A value is shown up to a bound, and escaped as
// redis-cli does it.
package storetab
