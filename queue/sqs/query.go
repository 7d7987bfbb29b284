package sqs

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The Query protocol: Action=SendMessage&MessageAttribute.1.Name=a&..., as a form
// or in the URL. Dots and numbers make a tree of it.

// Limits of a form. See docs/limits.md.
const (
	maxParameters = 10000
	maxFormDepth  = 8 // the deepest name of the API has 6 parts
)

// form is a node of the tree: what MessageAttribute.1.Name=a makes is
// form{"MessageAttribute": {"1": {"Name": "a"}}}.
type form struct {
	text  string
	below map[string]*form
}

// parseForm parses name=value pairs and adds them to the tree; a value that comes
// twice counts as the last says. It returns an error that tells what is malformed.
func (t *form) parse(text string) error {
	if strings.Count(text, "&") >= maxParameters {
		return fmt.Errorf("more than %d parameters", maxParameters)
	}
	for pair := range strings.SplitSeq(text, "&") {
		if pair == "" {
			continue
		}
		name, value, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(name)
		if err != nil {
			return err
		}
		if value, err = url.QueryUnescape(value); err != nil {
			return err
		}
		if !utf8.ValidString(value) || !utf8.ValidString(name) {
			return errors.New("a parameter is not UTF-8")
		}
		if err := t.set(name, value); err != nil {
			return err
		}
	}
	return nil
}

func (t *form) set(name, value string) error {
	if strings.Count(name, ".") >= maxFormDepth {
		return fmt.Errorf("parameter %.80s has too many parts", name)
	}
	node := t
	for part := range strings.SplitSeq(name, ".") {
		if node.below == nil {
			node.below = map[string]*form{}
		}
		next := node.below[part]
		if next == nil {
			next = &form{}
			node.below[part] = next
		}
		node = next
	}
	node.text = value
	return nil
}

// get returns the text of a parameter without parts, or "".
func (t *form) get(name string) string {
	if node := t.below[name]; node != nil {
		return node.text
	}
	return ""
}

// items returns the nodes of a list in order. Numbers may have gaps, as in what
// AWS takes; a single item may come without its number.
func (t *form) items(name string) []*form {
	node := t.below[name]
	if node == nil {
		return nil
	}
	var numbers []int
	for part := range node.below {
		number, err := strconv.Atoi(part)
		if err == nil && number > 0 && strconv.Itoa(number) == part {
			numbers = append(numbers, number)
		}
	}
	if len(numbers) == 0 && (node.text != "" || len(node.below) > 0) {
		return []*form{node}
	}
	slices.Sort(numbers)
	items := make([]*form, len(numbers))
	for i, number := range numbers {
		items[i] = node.below[strconv.Itoa(number)]
	}
	return items
}

// decodeForm fills a request from a form.
func decodeForm(t *form, in shape) error {
	for _, f := range in.fields(nil) {
		if err := decodeParameter(t, f); err != nil {
			return fmt.Errorf("%s: %w", f.queryName(), err)
		}
	}
	return nil
}

func decodeParameter(t *form, f field) error {
	name := f.queryName()
	switch v := f.value.(type) {
	case *string:
		*v = t.get(name)
	case **int64:
		if text := t.get(name); text != "" {
			number, err := strconv.ParseInt(text, 10, 64)
			if err != nil {
				return fmt.Errorf("%.40q is not an integer", text)
			}
			*v = &number
		}
	case *[]byte:
		data, err := base64.StdEncoding.DecodeString(t.get(name))
		if err != nil {
			return errors.New("is not base64")
		}
		*v = data
	case *[]string:
		for _, item := range t.items(name) {
			*v = append(*v, item.text)
		}
	case *map[string]string:
		for _, item := range t.items(name) {
			set(v, item.get(f.keyName()), item.get("Value"))
		}
	case *map[string]AttributeValue:
		for _, item := range t.items(name) {
			var value AttributeValue
			if content := item.below["Value"]; content != nil {
				if err := decodeForm(content, &value); err != nil {
					return err
				}
			}
			set(v, item.get(f.keyName()), value)
		}
	case list:
		for _, item := range t.items(name) {
			if err := decodeForm(item, v.grow()); err != nil {
				return err
			}
		}
	}
	return nil
}

// set puts an entry into a map that may not have been made yet.
func set[V any](m *map[string]V, name string, value V) {
	if *m == nil {
		*m = map[string]V{}
	}
	(*m)[name] = value
}
