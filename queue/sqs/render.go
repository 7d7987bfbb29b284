package sqs

import (
	"encoding/base64"
	"slices"
	"strconv"
	"unicode/utf8"
)

// Results in AWS JSON.

// appendJSON appends a result as an object. What is empty is left out, as AWS does.
func appendJSON(b []byte, out shape, scratch *fieldStack) []byte {
	fields, base := scratch.push(out)
	defer scratch.pop(base)
	b = append(b, '{')
	isFirst := true
	for _, f := range fields {
		if f.isEmpty() && !f.always {
			continue
		}
		if !isFirst {
			b = append(b, ',')
		}
		isFirst = false
		b = append(appendString(b, f.name), ':')
		b = appendMember(b, f.value, scratch)
	}
	return append(b, '}')
}

func appendMember(b []byte, value any, scratch *fieldStack) []byte {
	switch v := value.(type) {
	case *string:
		return appendString(b, *v)
	case **int64:
		return strconv.AppendInt(b, **v, 10)
	case *int64:
		return strconv.AppendInt(b, *v, 10)
	case *bool:
		return strconv.AppendBool(b, *v)
	case *[]byte:
		return append(base64.StdEncoding.AppendEncode(append(b, '"'), *v), '"')
	case *[]string:
		return appendEach(b, '[', len(*v), ']', func(b []byte, i int) []byte { return appendString(b, (*v)[i]) })
	case *map[string]string:
		names := sortedKeys(*v)
		return appendEach(b, '{', len(names), '}', func(b []byte, i int) []byte {
			return appendString(append(appendString(b, names[i]), ':'), (*v)[names[i]])
		})
	case *map[string]AttributeValue:
		names := sortedKeys(*v)
		return appendEach(b, '{', len(names), '}', func(b []byte, i int) []byte {
			value := (*v)[names[i]]
			return appendJSON(append(appendString(b, names[i]), ':'), &value, scratch)
		})
	default:
		items := value.(list)
		return appendEach(b, '[', items.len(), ']', func(b []byte, i int) []byte { return appendJSON(b, items.at(i), scratch) })
	}
}

// appendEach appends n things between brackets, with commas.
func appendEach(b []byte, open byte, n int, end byte, each func(b []byte, i int) []byte) []byte {
	b = append(b, open)
	for i := range n {
		if i > 0 {
			b = append(b, ',')
		}
		b = each(b, i)
	}
	return append(b, end)
}

// appendString appends a JSON string. All that may not stand in one as it is gets
// escaped; what is not UTF-8 (nothing of ours) becomes U+FFFD.
func appendString(b []byte, s string) []byte {
	const hex = "0123456789abcdef"
	b = append(b, '"')
	plain := 0
	for plain < len(s) && s[plain] >= 0x20 && s[plain] < 0x7f && s[plain] != '"' && s[plain] != '\\' {
		plain++
	}
	b = append(b, s[:plain]...)
	for _, r := range s[plain:] {
		switch {
		case r == '"' || r == '\\':
			b = append(b, '\\', byte(r))
		case r == '\n':
			b = append(b, '\\', 'n')
		case r < 0x20 || r == 0x7f:
			b = append(b, '\\', 'u', '0', '0', hex[r>>4], hex[r&15])
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return append(b, '"')
}

// sortedKeys makes what is rendered from a map the same each time.
func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for key := range m {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	return keys
}
