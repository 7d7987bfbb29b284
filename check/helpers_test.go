package check

import (
	"strings"
	"testing"
)

// known makes an operation with an answer that took place from begin to end.
func known(client int, begin, end int64, o Operation) Operation {
	o.Client, o.Begin, o.End, o.Key, o.Outcome = client, begin, end, "k", Known
	return o
}

func with(outcome Outcome, o Operation) Operation {
	o.Outcome = outcome
	return o
}

func write(value string) Operation { return Operation{Kind: Write, Value: value} }
func read(value string) Operation  { return Operation{Kind: Read, Value: value, Found: true} }
func nothing() Operation           { return Operation{Kind: Read} }
func expiry(begin int64, value string) Operation {
	return with(Unknown, known(0, begin, begin, Operation{Kind: Expire, Value: value}))
}

func swap(expect, value string) Operation {
	return Operation{Kind: CompareAndSet, Expect: expect, Value: value, Changed: true}
}
func add(number, total int64) Operation { return Operation{Kind: Add, Number: number, Total: total} }
func count(total int64) Operation       { return Operation{Kind: Count, Total: total} }
func insert(value string) Operation {
	return Operation{Kind: Insert, Value: value, Changed: true}
}
func remove(value string) Operation {
	return Operation{Kind: Remove, Value: value, Changed: true}
}
func members(values ...string) Operation { return Operation{Kind: Members, Values: values} }
func push(right bool, value string, length int64) Operation {
	if right {
		return Operation{Kind: PushRight, Value: value, Total: length}
	}
	return Operation{Kind: PushLeft, Value: value, Total: length}
}
func pop(kind Kind, value string) Operation {
	return Operation{Kind: kind, Value: value, Found: value != ""}
}
func elements(values ...string) Operation { return Operation{Kind: Range, To: -1, Values: values} }
func in(key string, o Operation) Operation {
	o.Key = key
	return o
}
func exec(parts ...Operation) Operation {
	return Operation{Kind: Transaction, Changed: true, Parts: parts}
}
func watching(o Operation, guards ...Operation) Operation {
	o.Guards = guards
	return o
}
func at(level Level, o Operation) Operation {
	o.Level = level
	return o
}

// expect checks that a verdict is good, or has a fault with these words.
func expect(t *testing.T, v Verdict, fault string) {
	t.Helper()
	if fault == "" && !v.OK() || fault != "" && (v.OK() || !strings.Contains(v.String(), fault)) {
		t.Errorf("want %q, got %v", fault, v)
	}
}
