// Package golden compares a file that is made from the code with what the code makes
// of it now: see File. Only tests may import it.
package golden
