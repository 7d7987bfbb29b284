package check

import "testing"

func TestNobodySeesTheInsideOfAStep(t *testing.T) {
	const until = 90
	step := known(1, 10, 20, exec(in("k", write("a")), in("k", write("b"))))
	look := func(o Operation) Operation { return known(2, until, until+1, o) }
	reads := func(parts ...Operation) Operation {
		for i := range parts {
			parts[i].Key = "k"
		}
		return look(at(LevelEventual, exec(parts...)))
	}
	var tests []levelTest
	for _, level := range []Level{LevelSession, LevelBounded, LevelEventual} {
		weak := func(o Operation) Operation { o.Level, o.Age = level, until; return look(o) }
		name := level.String() + ": "
		tests = append(tests,
			levelTest{name + "what the step left", []Operation{step, weak(read("b"))}, ""},
			levelTest{name + "what was there before", []Operation{step, weak(nothing())}, ""},
			levelTest{name + "what was in between", []Operation{step, weak(read("a"))}, `it shows that client 1 wrote "a"`},
			levelTest{name + "what another wrote as well", []Operation{step, known(3, 1, 2, write("a")), weak(read("a"))}, ""},
			levelTest{name + "what the delete in it left", []Operation{known(1, 1, 2, write("o")), known(1, 10, 20, exec(in("k", deleted()), in("k", write("b")))), weak(nothing())}, ""},
			levelTest{name + "a count in between", []Operation{known(1, 10, 20, exec(in("k", add(1, 1)), in("k", add(1, 2)))), weak(count(1))}, "the count was never 1"},
			levelTest{name + "a count that comes down in between", []Operation{known(1, 10, 20, exec(in("k", add(2, 2)), in("k", add(-1, 1)))), weak(count(2))}, "the count was never 2"},
			levelTest{name + "a count after it", []Operation{known(1, 10, 20, exec(in("k", add(2, 2)), in("k", add(-1, 1)))), weak(count(1))}, ""},
			levelTest{name + "a member that went in the same step", []Operation{known(1, 10, 20, exec(in("k", insert("a")), in("k", remove("a")))), weak(members("a"))}, "in one step"},
			levelTest{name + "one of two members of a step", []Operation{known(1, 10, 20, exec(in("k", insert("a")), in("k", insert("b")))), weak(members("a"))}, "in one step"},
			levelTest{name + "one of two elements of a step", []Operation{known(1, 10, 20, exec(in("k", push(true, "a", 1)), in("k", push(true, "b", 2)))), weak(elements("a"))}, "in one step"},
		)
	}
	a, b := known(1, 10, 20, write("a")), known(1, 30, 40, write("b"))
	tests = append(tests,
		levelTest{"a key twice", []Operation{a, b, reads(read("a"), read("a"))}, ""},
		levelTest{"a key twice, forward", []Operation{a, b, reads(read("a"), read("b"))}, "one answer at once"},
		levelTest{"a key twice, back", []Operation{a, b, reads(read("b"), read("a"))}, "one answer at once"},
		levelTest{"a count twice", []Operation{known(1, 10, 20, add(1, 1)), reads(count(0), count(1))}, "one answer at once"},
		levelTest{"members twice, in any order", []Operation{known(1, 10, 20, insert("a")), known(1, 30, 40, insert("b")), reads(members("a", "b"), members("b", "a"))}, ""},
		levelTest{"two parts of a list", []Operation{known(1, 10, 20, push(true, "a", 1)), reads(elements("a"), Operation{Kind: Range, From: 1, To: 2})}, ""},
	)
	judgeLevels(t, WeakReads, tests)
	end := func(value string) map[string]Final { return map[string]Final{"k": {Found: true, Value: value}} }
	expect(t, Durable([]Operation{step}, end("b")), "")
	expect(t, Durable([]Operation{step}, end("a")), "is lost")
}
