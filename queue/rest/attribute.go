package rest

import (
	"net/http"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"flotilla/queue"
)

const (
	maxAttributeName = 256 // bytes, of its type too
	maxNumberDigits  = 38
)

// checkAttribute takes what the SQS door takes, so that who receives by the other door
// is given what that protocol can say.
func checkAttribute(name string, a Attribute) *Problem {
	lower := strings.ToLower(name)
	kind, _, _ := strings.Cut(a.Type, ".")
	switch {
	case name == "" || len(name) > maxAttributeName || strings.ContainsFunc(name, isBadInName) ||
		name[0] == '.' || name[len(name)-1] == '.' || strings.Contains(name, ".."):
		return invalid("The name of an attribute has 1 to 256 bytes: letters, digits, hyphens, underscores, and single periods between them.")
	case strings.HasPrefix(lower, "aws.") || strings.HasPrefix(lower, "amazon."):
		return invalid("Names of attributes that begin with AWS. or Amazon. are reserved.")
	case kind != "String" && kind != "Number" && kind != "Binary" || len(a.Type) > maxAttributeName || !isText(a.Type):
		return invalid("The type of the attribute " + name + " must be String, Number or Binary, perhaps with more after a dot.")
	case len(a.Value) == 0:
		return invalid("The attribute " + name + " has no value.")
	case kind == "Number" && !isNumber(string(a.Value)):
		return invalid("The attribute " + name + " is no number.")
	case kind != "Binary" && !isText(string(a.Value)):
		return problem(http.StatusBadRequest, queue.CodeInvalidMessageContents, "The attribute "+name+" holds characters that are not allowed; its type may be Binary.")
	}
	return nil
}

func isBadInName(r rune) bool {
	isASCII := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_' || r == '.'
	return !isASCII && (r < utf8.RuneSelf || r == utf8.RuneError || !unicode.IsLetter(r))
}

// isText reports whether a text has only characters that XML can hold, as SQS requires.
func isText(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return r < 0x20 && r != '\t' && r != '\n' && r != '\r' || r == 0xfffe || r == 0xffff
	})
}

// isNumber reports whether a text is a decimal number of at most 38 digits, as SQS has them.
func isNumber(text string) bool {
	if _, err := strconv.ParseFloat(text, 64); err != nil || strings.Trim(text, "0123456789.+-eE") != "" {
		return false
	}
	mantissa, _, _ := strings.Cut(strings.ToLower(text), "e")
	digits := strings.TrimLeft(strings.Trim(mantissa, "+-"), "0.")
	return len(strings.Replace(digits, ".", "", 1)) <= maxNumberDigits
}
