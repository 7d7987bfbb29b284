package sqs

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"unicode/utf8"
)

// AWS JSON 1.0: the action is in the header X-Amz-Target, the body is one object.
// https://smithy.io/2.0/aws/protocols/aws-json-1_0-protocol.html
//
// A request is read in one pass, by what its shape says, without a tree in between:
// three of them make a job, and encoding/json took most of the door's time.

// decodeJSON fills a request from a body. Members that nobody knows are passed
// over, as AWS does; null is the same as absent; a number may come as a string.
func decodeJSON(body []byte, in shape, scratch *fieldStack) error {
	r := jsonReader{text: body, stack: scratch}
	if r.skipSpace(); r.at == len(body) {
		return nil // an action without parameters
	}
	if err := r.object(in); err != nil {
		return err
	}
	if r.skipSpace(); r.at < len(body) {
		return r.wrong("the end")
	}
	return nil
}

// maxJSONDepth bounds lists and objects in each other; the deepest of the API has 5.
const maxJSONDepth = 32

// jsonReader reads a text from a place on.
type jsonReader struct {
	text  []byte
	at    int
	depth int
	stack *fieldStack
}

func (r *jsonReader) wrong(expected string) error {
	return fmt.Errorf("expected %s at byte %d", expected, r.at)
}

func (r *jsonReader) skipSpace() {
	for r.at < len(r.text) && (r.text[r.at] == ' ' || r.text[r.at] == '\n' || r.text[r.at] == '\r' || r.text[r.at] == '\t') {
		r.at++
	}
}

// next passes over space, and over c if it comes then.
func (r *jsonReader) next(c byte) bool {
	r.skipSpace()
	if r.at < len(r.text) && r.text[r.at] == c {
		r.at++
		return true
	}
	return false
}

// word passes over space, and over a word such as null if it comes then.
func (r *jsonReader) word(w string) bool {
	r.skipSpace()
	if rest := r.text[r.at:]; len(rest) >= len(w) && string(rest[:len(w)]) == w {
		r.at += len(w)
		return true
	}
	return false
}

// each calls item for all between brackets, or for none.
func (r *jsonReader) each(open, end byte, item func() error) error {
	if !r.next(open) {
		return r.wrong(string(open))
	}
	if r.depth++; r.depth > maxJSONDepth {
		return errors.New("too many lists and objects in each other")
	}
	if !r.next(end) {
		for n := 1; ; n++ {
			if n > maxParameters {
				return fmt.Errorf("more than %d items", maxParameters)
			}
			if err := item(); err != nil {
				return err
			}
			if r.next(end) {
				break
			}
			if !r.next(',') {
				return r.wrong("a comma or " + string(end))
			}
		}
	}
	r.depth--
	return nil
}

// members calls member for each name of an object, whose value comes next.
func (r *jsonReader) members(member func(name string) error) error {
	return r.each('{', '}', func() error {
		name, err := r.string()
		if err != nil {
			return err
		}
		if !r.next(':') {
			return r.wrong("a colon")
		}
		return member(name)
	})
}

// object fills a shape from an object.
func (r *jsonReader) object(in shape) error {
	fields, base := r.stack.push(in)
	defer r.stack.pop(base)
	return r.each('{', '}', func() error {
		i, err := r.known(fields)
		if err != nil {
			return err
		}
		if !r.next(':') {
			return r.wrong("a colon")
		}
		if i < 0 {
			return r.skip()
		}
		if r.word("null") {
			return nil
		}
		if err := r.value(fields[i].value); err != nil {
			return fmt.Errorf("%s: %w", fields[i].name, err)
		}
		return nil
	})
}

// known reads the name of a member, and returns which field it is, or -1.
func (r *jsonReader) known(fields []field) (i int, err error) {
	r.skipSpace()
	for i := range fields { // nearly always it is there as it is, and no string need be made
		name := fields[i].name
		if rest := r.text[r.at:]; len(rest) > len(name)+1 && rest[0] == '"' && rest[len(name)+1] == '"' && string(rest[1:len(name)+1]) == name {
			r.at += len(name) + 2
			return i, nil
		}
	}
	name, err := r.string()
	return slices.IndexFunc(fields, func(f field) bool { return f.name == name }), err
}

// value reads what a field points to.
func (r *jsonReader) value(into any) (err error) {
	switch v := into.(type) {
	case *string:
		*v, err = r.string()
	case **int64:
		*v, err = r.number()
	case *[]byte:
		*v, err = r.base64()
	case *[]string:
		*v = nil
		err = r.each('[', ']', func() error {
			item, err := r.stringOrNull()
			*v = append(*v, item)
			return err
		})
	case *map[string]string:
		*v = nil
		err = r.members(func(name string) error {
			item, err := r.stringOrNull()
			set(v, name, item)
			return err
		})
	case *map[string]AttributeValue:
		*v = nil
		err = r.members(func(name string) error {
			var value AttributeValue
			err := r.object(&value)
			set(v, name, value)
			return err
		})
	case list:
		v.reset()
		err = r.each('[', ']', func() error { return r.object(v.grow()) })
	default:
		return errors.New("is not part of a request")
	}
	return err
}

func (r *jsonReader) stringOrNull() (string, error) {
	if r.word("null") {
		return "", nil
	}
	return r.string()
}

// number reads an integer, which may come as a string.
func (r *jsonReader) number() (*int64, error) {
	r.skipSpace()
	start := r.at
	var text string
	if r.at < len(r.text) && r.text[r.at] == '"' {
		var err error
		if text, err = r.string(); err != nil {
			return nil, err
		}
	} else if err := r.skip(); err != nil {
		return nil, err
	} else {
		text = string(r.text[start:r.at])
	}
	number, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("%.40s is not an integer", text)
	}
	return &number, nil
}

func (r *jsonReader) base64() ([]byte, error) {
	text, err := r.string()
	if err != nil {
		return nil, err
	}
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, errors.New("is not base64")
	}
	return data, nil
}

// string reads a string. One that has nothing but plain ASCII is passed over quickly.
func (r *jsonReader) string() (string, error) {
	if !r.next('"') {
		return "", r.wrong("a string")
	}
	start := r.at
	for ; r.at < len(r.text); r.at++ {
		switch c := r.text[r.at]; {
		case c == '"':
			r.at++
			return string(r.text[start : r.at-1]), nil
		case c == '\\' || c >= utf8.RuneSelf:
			return r.longString(start)
		case c < ' ':
			return "", r.wrong("no control character")
		}
	}
	return "", r.wrong("the end of a string")
}

// longString goes on with a string that has escapes, or letters beyond ASCII.
func (r *jsonReader) longString(start int) (string, error) {
	b := slices.Grow(bytes.Clone(r.text[start:r.at]), 32)
	for r.at < len(r.text) {
		switch c := r.text[r.at]; {
		case c == '"':
			r.at++
			return string(b), nil
		case c < ' ':
			return "", r.wrong("no control character")
		case c == '\\':
			letter, err := r.escaped()
			if err != nil {
				return "", err
			}
			b = utf8.AppendRune(b, letter)
		case c < utf8.RuneSelf:
			b = append(b, c)
			r.at++
		default:
			letter, size := utf8.DecodeRune(r.text[r.at:])
			if letter == utf8.RuneError && size == 1 {
				return "", r.wrong("UTF-8")
			}
			b = append(b, r.text[r.at:r.at+size]...)
			r.at += size
		}
	}
	return "", r.wrong("the end of a string")
}

// escaped reads what a backslash begins. Halves of surrogate pairs are refused: no
// text can hold them, and to put something else there would mend what was sent.
func (r *jsonReader) escaped() (rune, error) {
	r.at++ // the backslash
	if r.at >= len(r.text) {
		return 0, r.wrong("more")
	}
	c := r.text[r.at]
	if i := bytes.IndexByte([]byte(`"\/bfnrt`), c); i >= 0 {
		r.at++
		return rune("\"\\/\b\f\n\r\t"[i]), nil
	}
	first, ok := r.unit()
	if !ok {
		return 0, r.wrong("an escape")
	}
	if first < 0xd800 || first > 0xdfff {
		return first, nil
	}
	if first < 0xdc00 && r.at < len(r.text) && r.text[r.at] == '\\' {
		r.at++
		if second, ok := r.unit(); ok && second >= 0xdc00 && second <= 0xdfff {
			return 0x10000 + (first-0xd800)<<10 + (second - 0xdc00), nil
		}
	}
	return 0, r.wrong("the other half of a surrogate pair")
}

// unit reads uXXXX.
func (r *jsonReader) unit() (rune, bool) {
	if r.at+5 > len(r.text) || r.text[r.at] != 'u' {
		return 0, false
	}
	n := rune(0)
	for _, c := range r.text[r.at+1 : r.at+5] {
		switch {
		case c >= '0' && c <= '9':
			n = n<<4 | rune(c-'0')
		case c|0x20 >= 'a' && c|0x20 <= 'f':
			n = n<<4 | rune(c|0x20-'a'+10)
		default:
			return 0, false
		}
	}
	r.at += 5
	return n, true
}

// skip passes over a value, and says what is wrong with it.
func (r *jsonReader) skip() error {
	r.skipSpace()
	if r.at == len(r.text) {
		return r.wrong("a value")
	}
	switch c := r.text[r.at]; {
	case c == '"':
		_, err := r.string()
		return err
	case c == '{':
		return r.members(func(string) error { return r.skip() })
	case c == '[':
		return r.each('[', ']', r.skip)
	case r.word("true") || r.word("false") || r.word("null"):
		return nil
	}
	return r.skipNumber()
}

// skipNumber passes over a number: -0.5e+10.
func (r *jsonReader) skipNumber() error {
	if r.text[r.at] == '-' {
		r.at++
	}
	if leading := r.at; !r.digits() || r.at > leading+1 && r.text[leading] == '0' {
		return r.wrong("a value")
	}
	if r.isNext('.') && !r.digits() {
		return r.wrong("a digit")
	}
	if r.isNext('e') || r.isNext('E') {
		if !r.isNext('+') {
			r.isNext('-')
		}
		if !r.digits() {
			return r.wrong("a digit")
		}
	}
	return nil
}

// isNext passes over c, without space before it, if it comes next.
func (r *jsonReader) isNext(c byte) bool {
	if r.at < len(r.text) && r.text[r.at] == c {
		r.at++
		return true
	}
	return false
}

// digits passes over digits, and reports whether there was one.
func (r *jsonReader) digits() bool {
	start := r.at
	for r.at < len(r.text) && r.text[r.at] >= '0' && r.text[r.at] <= '9' {
		r.at++
	}
	return r.at > start
}
