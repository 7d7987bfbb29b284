package scenario

import "testing"

// FuzzParse: no text is too strange, and each that is taken prints as it was meant.
func FuzzParse(f *testing.F) {
	for _, name := range Names() {
		text, err := Text(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	for seed := range uint64(10) {
		f.Add(Random(seed, Options{Duration: 10_000}).String())
		f.Add(Random(seed, Options{Mode: Liveness}).String())
	}
	for _, v := range verbs {
		f.Add("name x\nfor 9s\nat 1s " + v.example)
	}
	f.Add("name x\nfor 9s\ndemand elections at most 0 moments silence below 1s elections at least 0\nat 1s crash n1 after vote")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := Parse(text)
		if err != nil {
			if len(err.(Errors)) == 0 || len(err.(Errors)) > maxErrors {
				t.Fatalf("%d errors", len(err.(Errors)))
			}
			return
		}
		requireSame(t, p)
	})
}
