package sqs

// A shape is a request, a result or a part of one: a struct that says once, field
// by field, what it is called on the wire. All four codecs (JSON and form in, JSON
// and XML out) go by it, so that the protocols can not drift apart.
type shape interface {
	// fields appends what it consists of.
	fields(all []field) []field
}

// fieldStack has room for the fields of shapes, of one in another, so that looking at
// them takes no memory each time.
type fieldStack struct{ all []field }

// push returns the fields of a shape, and what to pop when they are not needed any more.
func (s *fieldStack) push(of shape) (fields []field, base int) {
	base = len(s.all)
	s.all = of.fields(s.all)
	return s.all[base:len(s.all):len(s.all)], base
}

func (s *fieldStack) pop(base int) {
	clear(s.all[base:]) // what they point to may go
	s.all = s.all[:base]
}

// field is one member of a shape.
type field struct {
	name string // in JSON
	old  string // in the Query protocol, where lists are in the singular; empty: as in JSON
	// value points to the member: *string, **int64 (nil: absent), *int64, *bool,
	// *[]byte, *[]string, *map[string]string, *map[string]AttributeValue, or is a list.
	value  any
	key    string // of a map's entries in the Query protocol; empty: "Name"
	needed bool   // a request without it is refused
	always bool   // rendered in JSON even when it is empty
}

// queryName is what the field is called in the Query protocol.
func (f field) queryName() string {
	if f.old != "" {
		return f.old
	}
	return f.name
}

// keyName is what the key of a map's entry is called in the Query protocol.
func (f field) keyName() string {
	if f.key != "" {
		return f.key
	}
	return "Name"
}

// isEmpty reports whether nothing was given for the field.
func (f field) isEmpty() bool {
	switch v := f.value.(type) {
	case *string:
		return *v == ""
	case **int64:
		return *v == nil
	case *[]byte:
		return len(*v) == 0
	case *[]string:
		return len(*v) == 0
	case *map[string]string:
		return len(*v) == 0
	case *map[string]AttributeValue:
		return len(*v) == 0
	case list:
		return v.len() == 0
	default: // a number or a truth value of a result
		return false
	}
}

// list is a slice of shapes, of whatever type.
type list interface {
	len() int
	at(i int) shape
	grow() shape // appends one and returns it; valid until the next grow
	reset()
}

// pointerTo is a pointer to T that is a shape.
type pointerTo[T any] interface {
	*T
	shape
}

// slice makes a list of a pointer to a slice.
type slice[T any, P pointerTo[T]] struct{ items *[]T }

// listOf is what a field of structs has as its value.
func listOf[T any, P pointerTo[T]](items *[]T) list { return slice[T, P]{items} }

func (s slice[T, P]) len() int       { return len(*s.items) }
func (s slice[T, P]) at(i int) shape { return P(&(*s.items)[i]) }
func (s slice[T, P]) reset()         { *s.items = nil }
func (s slice[T, P]) grow() shape {
	if *s.items == nil {
		*s.items = make([]T, 0, maxBatchEntries)
	}
	*s.items = append(*s.items, *new(T))
	return s.at(len(*s.items) - 1)
}

// missing returns the name of the first field that a request needs and does not have.
func missing(in shape, scratch *fieldStack) string {
	fields, base := scratch.push(in)
	defer scratch.pop(base)
	for _, f := range fields {
		if f.needed && f.isEmpty() {
			return f.name
		}
		entries, isList := f.value.(list)
		for i := 0; isList && i < entries.len(); i++ {
			if name := missing(entries.at(i), scratch); name != "" {
				return name
			}
		}
	}
	return ""
}
