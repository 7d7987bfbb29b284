package scenario

import "flotilla"

// What a plan may ask for at most. docs/limits.md has them in its table.
const (
	MaxFileBytes                    = 1 << 20 // more than what any plan within the other limits prints
	MaxSteps                        = 1000
	MaxOccurrences                  = 100_000 // of all steps together, those of every counted each time
	MaxNodes                        = 32
	MaxCopies                       = 9
	MaxGroups                       = 256
	MaxClients                      = 1000
	MaxKeys                         = 1_000_000
	MaxValueBytes                   = 1 << 20
	MaxDuration     flotilla.Millis = 24 * 60 * 60 * 1000
	MaxDelay        flotilla.Millis = 60 * 1000 // of a message or a write
	MaxClockOffset  flotilla.Millis = 24 * 60 * 60 * 1000
	MaxDriftPPM                     = 100_000
	MaxBits                         = 1000
	MaxEffects                      = 1_000_000 // of one kind, as a plan demands them
	MaxClearBytes                   = 1 << 20
	maxNameBytes                    = 64
	maxTeachesBytes                 = 1000
	maxErrors                       = 20
	minValueBytes                   = 8 // room for a value that is told from all others
	defaultCopies                   = 3 // as cluster.DefaultReplicas
)
