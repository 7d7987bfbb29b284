package scenario

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"flotilla"

	"github.com/cockroachdb/datadriven"
	"pgregory.net/rapid"
)

// TestTexts reads testdata/text.txt and errors.txt: what a text means, printed, or
// what is wrong with it. "step" is a plan of one line, within "plan" as it was said last.
func TestTexts(t *testing.T) {
	for _, file := range []string{"testdata/text.txt", "testdata/errors.txt"} {
		frame := ""
		datadriven.RunTest(t, file, func(t *testing.T, d *datadriven.TestData) string {
			switch d.Cmd {
			case "plan":
				frame = d.Input + "\n"
				if _, err := Parse(frame); err != nil {
					t.Fatalf("%s: %v", d.Pos, err)
				}
				return ""
			case "steps":
				var out strings.Builder
				for line := range strings.Lines(d.Input) {
					p, err := Parse(frame + line)
					if err != nil {
						for _, e := range err.(Errors) {
							out.WriteString(e.Wrong + ": " + e.Right + "\n")
						}
						continue
					}
					requireSame(t, p)
					out.WriteString(p.Steps[len(p.Steps)-1].String() + "\n")
				}
				return out.String()
			case "parse":
				p, err := Parse(d.Input)
				if err != nil {
					return err.Error() + "\n"
				}
				requireSame(t, p)
				return p.String()
			}
			t.Fatalf("%s: unknown command %s", d.Pos, d.Cmd)
			return ""
		})
	}
}

// requireSame fails if what a plan prints is not the same plan, or not printed the same.
func requireSame(t interface {
	Helper()
	Fatalf(string, ...any)
}, p *Plan) {
	t.Helper()
	again, err := Parse(p.String())
	if err != nil {
		t.Fatalf("the text that a plan prints is refused: %v\n%s", err, p)
	}
	if !reflect.DeepEqual(p, again) {
		t.Fatalf("the text that a plan prints is another plan:\n%#v\n%#v\n%s", p, again, p)
	}
	if text := again.String(); text != p.String() {
		t.Fatalf("one plan is printed in two ways:\n%s\n%s", p, text)
	}
	if err := p.Check(); err != nil {
		t.Fatalf("a plan that was parsed is unsound: %v", err)
	}
}

// TestEveryPlanSurvivesPrinting draws plans from the whole grammar, clause by clause.
func TestEveryPlanSurvivesPrinting(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := drawPlan(t)
		if err := p.Check(); err != nil {
			t.Fatalf("a plan within all rules is refused: %v\n%s", err, p)
		}
		requireSame(t, p)
	})
}

// TestOddFiles: what editors and accidents leave is taken, or refused in few words.
func TestOddFiles(t *testing.T) {
	if p, err := Parse("\ufeffname a\r\nfor 2s\r\n"); err != nil || p.Name != "a" {
		t.Error(p, err)
	}
	for _, text := range []string{strings.Repeat("a", 300_000), "name a\nfor 2s\nat " + strings.Repeat("ä", 30_000) + " kill n1"} {
		if _, err := Parse(text); err == nil || len(err.Error()) > 2500 {
			t.Errorf("%d bytes: %.100s", len(err.Error()), err)
		}
	}
}

// drawPlan draws a plan that keeps all rules.
func drawPlan(t *rapid.T) *Plan {
	p := defaults()
	p.Name = rapid.StringMatching(`[a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?`).Draw(t, "name")
	p.Teaches = strings.TrimSpace(rapid.StringMatching(`([a-zä]+#?,? ){0,5}`).Draw(t, "teaches"))
	p.Nodes = rapid.IntRange(1, 7).Draw(t, "nodes")
	p.Copies = rapid.IntRange(1, p.Nodes).Draw(t, "copies")
	p.Groups = rapid.IntRange(1, 4).Draw(t, "groups")
	p.Duration = flotilla.Millis(rapid.IntRange(1, 200_000).Draw(t, "duration"))
	p.Calm = flotilla.Millis(rapid.IntRange(1, 200_000).Draw(t, "calm"))
	p.Workload = drawWorkload(t)
	hurt := p.MinorityNodes()
	for range rapid.IntRange(0, 8).Draw(t, "steps") {
		s := drawStep(t, p)
		if s.Verb == Wipe || s.Verb == Flip || s.Verb == Clear {
			if hurt == 0 {
				continue
			}
			s.Nodes = Target{Role: Named, Nodes: []flotilla.NodeID{1}}
		}
		if s.Verb == Partition && len(s.Nodes.Nodes) == p.Nodes || s.Verb == Partition && s.Nodes.Role == All {
			continue
		}
		p.Steps = append(p.Steps, s)
	}
	p.Demand = drawDemand(t, p)
	return p
}

func drawDemand(t *rapid.T, p *Plan) (d Demand) {
	d.Moments = p.hasMoments() && rapid.Bool().Draw(t, "moments")
	if d.Silence = flotilla.Millis(rapid.IntRange(0, int(p.Duration)-1).Draw(t, "silence")); d.Silence/2 < p.Workload.Think.Most+FailurePause {
		d.Silence = 0
	}
	for _, f := range effects {
		if rapid.Bool().Draw(t, "has least") {
			if d.Least == nil {
				d.Least = Effects{}
			}
			d.Least[f.effect] = rapid.IntRange(1, MaxEffects).Draw(t, "least")
		}
	}
	if d.HasMost = rapid.Bool().Draw(t, "has most"); d.HasMost {
		d.MostElections = rapid.IntRange(d.Least[Elections], MaxEffects).Draw(t, "most")
	}
	return d
}

func drawWorkload(t *rapid.T) Workload {
	w := defaults().Workload
	w.Clients = rapid.IntRange(1, MaxClients).Draw(t, "clients")
	w.Think = drawSpan(t, 0)
	w.Keys = rapid.IntRange(1, MaxKeys).Draw(t, "keys")
	w.ValueBytes.Least = rapid.IntRange(minValueBytes, MaxValueBytes).Draw(t, "least")
	w.ValueBytes.Most = rapid.IntRange(w.ValueBytes.Least, MaxValueBytes).Draw(t, "most")
	shares := drawShares(t, len(operations()))
	w.Load = nil
	for i, o := range rapid.Permutation(operations()).Draw(t, "operations")[:len(shares)] {
		w.Load = append(w.Load, Part{o.operation, shares[i]})
	}
	w.Reads = nil
	for i, share := range drawShares(t, 4) {
		r := Reading{Level: flotilla.Level(i), Share: share}
		if r.Level == flotilla.Bounded {
			r.MaxAge = flotilla.Millis(rapid.IntRange(1, 100_000).Draw(t, "age"))
		}
		w.Reads = append(w.Reads, r)
	}
	return w
}

// drawShares draws one share or more that are the whole together.
func drawShares(t *rapid.T, most int) (shares []Share) {
	left := Whole
	for len(shares) < most-1 && left > 1 && rapid.Bool().Draw(t, "one more") {
		s := Share(rapid.IntRange(1, int(left)-1).Draw(t, "share"))
		shares = append(shares, s)
		left -= s
	}
	return append(shares, left)
}

func drawSpan(t *rapid.T, least int) Span {
	a := rapid.IntRange(least, int(MaxDelay)).Draw(t, "least")
	b := rapid.IntRange(a, int(MaxDelay)).Draw(t, "most")
	return Span{flotilla.Millis(a), flotilla.Millis(b)}
}

func drawStep(t *rapid.T, p *Plan) Step {
	f := rapid.SampledFrom(verbs).Draw(t, "verb")
	s := Step{Verb: f.verb}
	for _, c := range f.clauses {
		drawClause(t, p, c.form, &s)
	}
	end := int(p.Duration)
	at := flotilla.Millis(rapid.IntRange(0, end).Draw(t, "at"))
	switch rapid.IntRange(0, 2).Draw(t, "when") {
	case 0:
		s.At = at
	case 1:
		s.At = at
		s.Every = flotilla.Millis(rapid.IntRange(max(1, end/1000), max(1, end)).Draw(t, "every"))
		if rapid.Bool().Draw(t, "until") {
			s.Until = flotilla.Millis(rapid.IntRange(max(1, int(at)), end).Draw(t, "until"))
		}
	default:
		s.IsFinal, s.Boundary = true, ""
	}
	return s
}

// drawClause draws what a clause of the grammar says; a new clause must be added here.
func drawClause(t *rapid.T, p *Plan, form string, s *Step) {
	maybe := func() bool { return rapid.Bool().Draw(t, form) }
	switch form {
	case "NODES", "of NODES":
		s.Nodes = drawTarget(t, p)
	case "[NODES]":
		if maybe() {
			s.Nodes = drawTarget(t, p)
		}
	case "LINKS":
		drawLinks(t, p, s)
	case "[for T]":
		if maybe() {
			s.For = flotilla.Millis(rapid.IntRange(1, int(MaxDuration)).Draw(t, form))
		}
	case "[MOMENT]":
		s.Boundary = rapid.SampledFrom(append(Moments(), "")).Draw(t, form)
	case "[losing [some] unsynced]":
		s.Loss = rapid.SampledFrom([]Loss{LoseNothing, LoseAll, LoseSome}).Draw(t, form)
	case "P%":
		s.Share = Share(rapid.IntRange(1, int(Whole)).Draw(t, form))
	case "T [to T]", "by T [to T]":
		s.Delay = drawSpan(t, 1)
	case "N bits":
		s.Bits = rapid.IntRange(1, MaxBits).Draw(t, form)
	case "last SIZE of FILE":
		s.Bytes = rapid.IntRange(1, MaxClearBytes).Draw(t, form)
		s.File = rapid.SampledFrom(fileForms()).Draw(t, "file").file
	case "in FILE":
		s.File = rapid.SampledFrom(fileForms()).Draw(t, form).file
	case "T ahead|behind":
		s.Offset = flotilla.Millis(rapid.IntRange(1, int(MaxClockOffset)).Draw(t, form) * rapid.SampledFrom([]int{-1, 1}).Draw(t, "sign"))
	case "Nppm fast|slow":
		s.DriftPPM = rapid.IntRange(1, MaxDriftPPM).Draw(t, form) * rapid.SampledFrom([]int{-1, 1}).Draw(t, "sign")
	case "group G":
		s.Group = flotilla.GroupID(rapid.IntRange(0, p.Groups).Draw(t, form))
	case "[to NODE]":
		if maybe() {
			s.To = drawOne(t, p)
		}
	default:
		t.Fatalf("the test knows no clause %q", form)
	}
}

func drawTarget(t *rapid.T, p *Plan) Target {
	switch role := rapid.SampledFrom([]Role{Named, All, Leader, Follower, Followers}).Draw(t, "role"); role {
	case Named:
		ids := rapid.SliceOfNDistinct(rapid.IntRange(1, p.Nodes), 1, p.Nodes, rapid.ID).Draw(t, "nodes")
		target := Target{Role: Named}
		for _, id := range ids {
			target.Nodes = append(target.Nodes, flotilla.NodeID(id))
		}
		return target
	case All:
		return Target{Role: All}
	default:
		return Target{Role: role, Group: flotilla.GroupID(rapid.IntRange(0, p.Groups).Draw(t, "group"))}
	}
}

func drawOne(t *rapid.T, p *Plan) Target {
	for {
		target := drawTarget(t, p)
		if target.Role == Named {
			target.Nodes = target.Nodes[:1]
		}
		if target.Role != All && target.Role != Followers {
			return target
		}
	}
}

func drawLinks(t *rapid.T, p *Plan, s *Step) {
	s.Links.Form = rapid.SampledFrom([]LinkForm{Between, OneWay, FromOne, ToOne, Around, Everywhere}).Draw(t, "form")
	if s.Links.Form == Everywhere {
		return
	}
	s.Links.A = drawOne(t, p)
	if s.Links.Form != Between && s.Links.Form != OneWay {
		return
	}
	s.Links.B = drawOne(t, p)
	if s.Links.B.String() == s.Links.A.String() {
		s.Links.Form, s.Links.B = Around, Target{}
	}
}

// TestCheckFindsWhatTextCanNotSay: a plan that code made may hold what no text does.
func TestCheckFindsWhatTextCanNotSay(t *testing.T) {
	sound := func() *Plan {
		p, err := Parse("name x\nfor 60s\nload set 60% get 40%\nat 5s isolate n1\nat 12s heal\n")
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	for name, spoil := range map[string]func(p *Plan){
		"a line break in the sentence":    func(p *Plan) { p.Teaches = "a\nat 1s kill all" },
		"a comment in the sentence":       func(p *Plan) { p.Teaches = "we are #1 here" },
		"no name":                         func(p *Plan) { p.Name = "" },
		"no nodes":                        func(p *Plan) { p.Nodes = 0 },
		"a level that is none":            func(p *Plan) { p.Workload.Reads[0].Level = 9 },
		"an operation that is none":       func(p *Plan) { p.Workload.Load[0].Operation = "" },
		"half a load":                     func(p *Plan) { p.Workload.Load = p.Workload.Load[:1] },
		"a verb that is none":             func(p *Plan) { p.Steps[0].Verb = "break" },
		"a share that heal does not have": func(p *Plan) { p.Steps[1].Share = 1 },
		"nobody":                          func(p *Plan) { p.Steps[0].Nodes = Target{} },
		"a time before the beginning":     func(p *Plan) { p.Steps[0].At = -1 },
		"without nodes, but in safety":    func(p *Plan) { p.Without = []flotilla.NodeID{1} },
		"more steps than there may be":    func(p *Plan) { p.Steps = slices.Repeat(p.Steps[:1], MaxSteps+1) },
	} {
		p := sound()
		spoil(p)
		if err := p.Check(); err == nil {
			t.Errorf("%s: nothing was found in\n%s", name, p)
		}
	}
}

func TestLimitsOfText(t *testing.T) {
	for name, text := range map[string]string{
		"too long":            "name x\nfor 9s\n" + strings.Repeat("#", MaxFileBytes),
		"no UTF-8":            "name x\nfor 9s\nteaches \xff",
		"a control character": "name x\nfor 9s\nteaches \x1b[2J",
		"too many steps":      "name x\nfor 9s\n" + strings.Repeat("at 1s heal\n", MaxSteps+1),
		"too often":           "name x\nfor 24h\nevery 1ms heal\n",
	} {
		if p, err := Parse(text); err == nil {
			t.Errorf("%s: it is taken, with %d steps", name, len(p.Steps))
		}
	}
	if _, err := Parse(strings.Repeat("nonsense\n", 1000)); len(err.(Errors)) != maxErrors {
		t.Errorf("a text of nonsense has %d errors", len(err.(Errors)))
	}
}

// TestSharesAreDrawn: each operation and each level has exactly its share of all draws.
func TestSharesAreDrawn(t *testing.T) {
	p, err := Parse("name x\nfor 9s\nload get 60% set 39.99% del 0.01%\nreads bounded 5ms 25% eventual 75%")
	if err != nil {
		t.Fatal(err)
	}
	operations, levels := map[Operation]Share{}, map[flotilla.Level]Share{}
	for n := range Whole {
		operations[p.Workload.Operation(n)]++
		levels[p.Workload.Reading(n).Level]++
	}
	if operations[Get] != 60_00 || operations[Set] != 39_99 || operations[Del] != 1 {
		t.Errorf("operations are drawn as %v", operations)
	}
	if levels[flotilla.Bounded] != 25_00 || levels[flotilla.Eventual] != 75_00 {
		t.Errorf("levels are drawn as %v", levels)
	}
}
