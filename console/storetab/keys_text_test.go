package storetab

import (
	"strings"
	"testing"
)

// TestElementsThatAreText can be edited: backslashes and quotes make no difference, what a line of a form can not have does.
func TestElementsThatAreText(t *testing.T) {
	for _, c := range []struct {
		name, value, shown string
		isText             bool
	}{
		{"path", `C:\tmp`, `C:\tmp`, true},
		{`a "name"`, "x", "x", true},
		{"two", "a\nb", `a\nb`, false},
		{"zero", "a\x00b", `a\x00b`, false},
		{"bytes", "\xff", `\xff`, false},
		{"long", strings.Repeat("x", maxElement+1), strings.Repeat("x", maxElement) + "…", false},
	} {
		v := KeyView{}
		v.add([]byte(c.name), []byte(c.value))
		if v.Pairs[0] != [2]string{c.name, c.shown} || v.Texts[0] != c.isText {
			t.Errorf("%s: shown as %q, text: %v", c.name, v.Pairs[0], v.Texts[0])
		}
	}
}
