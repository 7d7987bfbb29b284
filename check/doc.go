// Package check decides from the outside whether a cluster kept its promises:
// from what clients asked, when, and what they were told.
//
// Read in this order: Operation and Recorder (history.go: what is written down),
// Linearizable (linear.go: is there one order that explains all answers?), Durable
// (durable.go: is every acknowledged write there at the end?), Verdict (verdict.go).
//
// The three outcomes are the heart of it. An operation with a Known outcome took
// effect between its beginning and its end. One whose outcome is Unknown may have
// taken effect at any time after its beginning, or never: it stays open to the end
// of the history. One that was Refused must never have had any effect: it is
// left out, and whoever saw its effect saw something that can not be explained.
//
// The package knows nothing of Flotilla; its tests run it against plain
// histories with a planted violation each. It refuses to call a history good that
// it could not finish checking.
package check
