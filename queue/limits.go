package queue

// Limits of the queue. What exceeds one is answered with an error, of the code that
// Amazon SQS uses for it, and changes nothing.
const (
	// MaxNameBytes is the longest name of a queue, ".fifo" included.
	MaxNameBytes = 80
	// MaxMessageBytes bounds a message: its body, and its attributes' names, types and values.
	MaxMessageBytes = 1 << 20
	// MaxBatchEntries is how many entries a batch may have, and how many messages
	// one receive returns.
	MaxBatchEntries = 10
	// MaxAttributes is how many attributes a message may have.
	MaxAttributes = 10
	// MaxTags is how many tags a queue may have.
	MaxTags = 50
	// MaxTagKeyChars is the longest key of a tag, in Unicode's characters.
	MaxTagKeyChars = 128
	// MaxTagValueChars is the longest value of a tag, in Unicode's characters.
	MaxTagValueChars = 256
	// MaxInFlight is how many messages of a standard queue may be leased.
	MaxInFlight = 120000
	// MaxInFlightFIFO is the same of a FIFO queue, which then gives out nothing, without
	// an error.
	MaxInFlightFIFO = 120000
	// MaxVisibilitySeconds is the longest lease, with all its extensions.
	MaxVisibilitySeconds = 43200
	// MaxRetryDelaySeconds is how long a message that is given back may be made to wait.
	MaxRetryDelaySeconds = 43200
	// MaxDelaySeconds is the longest delay; what is to come later is scheduled.
	MaxDelaySeconds = 900
	// MaxScheduleDays is how far ahead a message may be scheduled.
	MaxScheduleDays = 366
	// MaxIDBytes is the longest message group id, deduplication id, receive attempt id.
	MaxIDBytes = 128
	// MaxReceives is the largest maxReceiveCount of a redrive policy.
	MaxReceives = 1000
	// MaxPolicyBytes bounds a queue's policy, redrive policy and the like.
	MaxPolicyBytes = 64 << 10
	// MaxSourceQueues is how many queues a redrive allow policy may name.
	MaxSourceQueues = 10
	// MaxListed is how many things one page of a list has.
	MaxListed = 1000
	// MaxMovesPerSecond is how many messages a message move task moves in a second.
	MaxMovesPerSecond = 500
	// MaxMoveTasks is how many message move tasks of a queue are remembered.
	MaxMoveTasks = 10
	// MaxProgressBytes bounds what a worker tells of a job's progress.
	MaxProgressBytes = 64 << 10
	// MaxResultBytes bounds a job's result or error.
	MaxResultBytes = 256 << 10
	// MaxRecurring is how many recurring messages a queue may have.
	MaxRecurring = 100
	// MaxZoneOffsets is how many changes of a time zone's clocks a recurring message
	// may know of.
	MaxZoneOffsets = 100
	// DeduplicationSeconds is how long a deduplication id and a receive attempt id
	// are remembered.
	DeduplicationSeconds = 300
	// PurgeSeconds has to pass between two purges of a queue.
	PurgeSeconds = 60

	// MaxPartitions is how many partitions a queue may have.
	MaxPartitions = 64

	// deadAgainSeconds is how long a queue for dead messages in another group is left alone
	// after it was missing. Its messages are given out meanwhile.
	deadAgainSeconds = 60
	// recurAgainSeconds is after how long a recurring message is tried again whose time came while
	// disks were nearly full.
	recurAgainSeconds = 5
	// movedHours is how long the receipt handles of a message are known after it went to
	// another queue: as long as a lease may be.
	movedHours = 12
	// tombstoneDays is how long a partition that was deleted is remembered.
	tombstoneDays = 1
	// maxUnsettled is how many plans that are not settled ReadOutbox shows.
	maxUnsettled = 100
	// maxDuePerEntry is how many things that fell due one entry does.
	maxDuePerEntry = 1000
	// maxPassed is how many messages that are dead or too old, and message groups that are
	// full, one receive passes over.
	maxPassed = 100
	// maxPriority is the highest priority.
	maxPriority = 9
)
