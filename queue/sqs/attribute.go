package sqs

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// checkMessageAttribute checks one attribute that a client sent with a message.
func checkMessageAttribute(name string, value AttributeValue) error {
	if err := checkAttributeName(name); err != nil {
		return err
	}
	kind, _, _ := strings.Cut(value.DataType, ".")
	if value.DataType == "" {
		return Errorf(InvalidParameterValue, "The message attribute '%s' must contain a non-empty message attribute type.", name)
	}
	if kind != "String" && kind != "Number" && kind != "Binary" {
		return Errorf(InvalidParameterValue, "The type of message (user) attribute '%s' is invalid. You must use only the following "+
			"supported type prefixes: Binary, Number, String.", name)
	}
	if len(value.DataType) > maxAttributeName || !isText(value.DataType) {
		return Errorf(InvalidParameterValue, "Message (user) attribute types must be shorter than %d Bytes", maxAttributeName)
	}
	isBinary := kind == "Binary"
	if isBinary && len(value.BinaryValue) == 0 || !isBinary && value.StringValue == "" {
		return Errorf(InvalidParameterValue, "Message (user) attribute '%s' must contain a non-empty value of type '%s'.", name, kind)
	}
	if isBinary && value.StringValue != "" || !isBinary && len(value.BinaryValue) > 0 {
		return Errorf(InvalidParameterValue, "The message attribute '%s' with type '%s' must use field '%s'.", name, kind, valueField(isBinary))
	}
	if !isText(value.StringValue) {
		return Errorf(InvalidMessageContents, "Invalid binary character was found in the message attribute '%s'.", name)
	}
	if kind == "Number" && !isNumber(value.StringValue) {
		return Errorf(InvalidParameterValue, "Can't cast the value of message (user) attribute '%s' to a number.", name)
	}
	return nil
}

func valueField(isBinary bool) string {
	if isBinary {
		return "Binary"
	}
	return "String"
}

// checkAttributeName checks the name of a message attribute. AWS takes letters of
// other scripts, although it does not say so.
func checkAttributeName(name string) error {
	lower := strings.ToLower(name)
	switch {
	case name == "":
		return Errorf(InvalidParameterValue, "The request must contain non-empty message (user) attribute names.")
	case len(name) > maxAttributeName:
		return Errorf(InvalidParameterValue, "Message (user) attribute names must be shorter than %d Bytes", maxAttributeName)
	case strings.HasPrefix(lower, "aws.") || strings.HasPrefix(lower, "amazon."):
		return Errorf(InvalidParameterValue, "You can't use message attribute names beginning with 'AWS.' or 'Amazon.'. These strings are reserved for internal use.")
	case name[0] == '.' || name[len(name)-1] == '.' || strings.Contains(name, ".."):
		return Errorf(InvalidParameterValue, "Message (user) attribute name '%s' can not start or end with a period, or have two in succession.", name)
	}
	for _, r := range name {
		isAllowed := r < utf8.RuneSelf && isWord(byte(r)) || r == '.' || r >= utf8.RuneSelf && r != utf8.RuneError && unicode.IsLetter(r)
		if !isAllowed {
			return Errorf(InvalidParameterValue, "Message (user) attribute name '%s' is invalid: it can only contain letters, digits, periods, hyphens and underscores.", name)
		}
	}
	return nil
}

// maxNumberDigits is AWS's precision of numbers.
const maxNumberDigits = 38

// isNumber reports whether s is a decimal number as AWS takes them: a sign, digits
// with perhaps a point, and an exponent.
func isNumber(s string) bool {
	mantissa, exponent, hasExponent := strings.Cut(strings.ToLower(s), "e")
	exponent = strings.TrimPrefix(strings.TrimPrefix(exponent, "+"), "-")
	if hasExponent && (!isDigits(exponent) || len(exponent) > 3) {
		return false
	}
	mantissa = strings.TrimLeft(mantissa[:min(1, len(mantissa))], "+-") + mantissa[min(1, len(mantissa)):]
	digits := strings.Replace(mantissa, ".", "", 1)
	return isDigits(digits) && len(strings.TrimLeft(digits, "0")) <= maxNumberDigits
}

// pick returns the attributes whose names a receiver asked for: by name, by prefix
// as in "order.*", or all of them.
func pick[V any](attributes map[string]V, names []string) map[string]V {
	var picked map[string]V
	for name, value := range attributes {
		for _, asked := range names {
			prefix, isPrefix := strings.CutSuffix(asked, "*")
			if name == asked || asked == "All" || isPrefix && strings.HasPrefix(name, strings.TrimSuffix(prefix, ".")) {
				set(&picked, name, value)
			}
		}
	}
	return picked
}
