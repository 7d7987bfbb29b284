package store

// Limits of the store. What exceeds one is answered with an error and changes
// nothing.
const (
	// MaxKeyBytes is the longest key: "ERR key is longer than 65536 bytes"; and,
	// as they are part of a key of the state, the longest field of a hash and
	// member of a set or sorted set: "ERR field or member is longer than 65536
	// bytes".
	MaxKeyBytes = 64 << 10
	// MaxArgumentBytes is the longest argument that a door reads.
	MaxArgumentBytes = 64 << 20
	// MaxCommandBytes bounds one encoded command: "ERR command is too large: at
	// most 16777216 bytes"; and a MULTI body: "ERR transaction is larger than
	// 16777216 bytes".
	MaxCommandBytes = 16 << 20
	// MaxStringBytes is how long a string value may grow by APPEND, SETRANGE,
	// SETBIT and the like: "ERR string exceeds maximum allowed size
	// (proto-max-bulk-len)".
	MaxStringBytes = 64 << 20
	// MaxReplyBytes bounds one reply: "ERR reply is larger than 134217728 bytes".
	MaxReplyBytes = 128 << 20
	// MaxVisited bounds the elements and arguments that one write, or one MULTI, visits:
	// "ERR the command would visit more than 50000 elements".
	MaxVisited = 50_000
	// maxExpiredPerEntry is how many keys one entry deletes because they expired;
	// the rest waits for the next entry, unseen by commands.
	maxExpiredPerEntry = 1000
)
