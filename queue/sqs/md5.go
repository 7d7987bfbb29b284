package sqs

import (
	"crypto/md5"
	"encoding/binary"
	"encoding/hex"
	"strings"
)

// SDKs compute these sums, too, and refuse an answer whose sums are others. MD5 is
// the protocol's choice; nothing here is secured by it.

// bodySum is the MD5 of a message's body, in hexadecimal.
func bodySum(body string) string {
	sum := md5.Sum([]byte(body))
	return hex.EncodeToString(sum[:])
}

// attributeSum is the MD5 of message attributes, empty if there are none. What is
// summed is, for each attribute in the order of the names:
//
//	┌─────┬──────┬─────┬──────┬───────────┬─────┬───────┐
//	│ len │ name │ len │ type │ transport │ len │ value │   len: 32 bits, big-endian
//	└─────┴──────┴─────┴──────┴───────────┴─────┴───────┘   transport: 1 text, 2 bytes
func attributeSum(attributes map[string]AttributeValue) string {
	if len(attributes) == 0 {
		return ""
	}
	var b []byte
	for _, name := range sortedKeys(attributes) {
		value := attributes[name]
		b = appendCounted(b, name)
		b = appendCounted(b, value.DataType)
		if value.isBinary() {
			b = appendCounted(append(b, 2), string(value.BinaryValue))
		} else {
			b = appendCounted(append(b, 1), value.StringValue)
		}
	}
	sum := md5.Sum(b)
	return hex.EncodeToString(sum[:])
}

func appendCounted(b []byte, s string) []byte {
	return append(binary.BigEndian.AppendUint32(b, uint32(len(s))), s...)
}

// isBinary reports whether the value is in BinaryValue.
func (v *AttributeValue) isBinary() bool { return strings.HasPrefix(v.DataType, "Binary") }

// sums are those of a message that is sent.
func (m *Body) sums() Sums {
	return Sums{bodySum(m.MessageBody), attributeSum(m.MessageAttributes), attributeSum(m.MessageSystemAttributes)}
}
