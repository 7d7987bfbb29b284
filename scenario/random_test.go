package scenario

import (
	"slices"
	"strings"
	"testing"

	"flotilla"
)

func TestSameSeedGivesSameText(t *testing.T) {
	texts := map[string]uint64{}
	for seed := range uint64(100) {
		for i, options := range manyOptions() {
			if i > 0 && seed >= 5 {
				break
			}
			text := Random(seed, options).String()
			if again := Random(seed, options).String(); again != text {
				t.Fatalf("seed %d gave two plans with %+v:\n%s\n%s", seed, options, text, again)
			}
		}
		_, text, _ := strings.Cut(Random(seed, Options{}).String(), "\n") // without its name
		if other, isThere := texts[text]; isThere {
			t.Errorf("seeds %d and %d gave one plan", other, seed)
		}
		texts[text] = seed
	}
}

// manyOptions are options of all kinds.
func manyOptions() []Options {
	return []Options{
		{},
		{Mode: Liveness},
		{Mode: Liveness, Nodes: 5, Groups: 4},
		{Nodes: 1, Groups: 1, Clients: 1},
		{Nodes: 2},
		{Nodes: MaxNodes, Groups: MaxGroups, Clients: MaxClients},
		{Duration: 1},
		{Duration: 1, Mode: Liveness, Nodes: 1},
		{Duration: 700, Executor: Executor{Name: "nothing at all"}},
		{Executor: VirtualPebble()},
		{Executor: Real()},
		{Executor: RealPowerCut(), Mode: Liveness},
	}
}

// TestRandomPlansKeepTheRules: each is sound (Random asserts that), does what its
// executor can do, and hurts the data of few nodes only.
func TestRandomPlansKeepTheRules(t *testing.T) {
	for seed := range uint64(10) {
		for _, options := range manyOptions() {
			p := Random(seed, options)
			requireSame(t, p)
			executor := options.Executor
			if executor.Name == "" {
				executor = Virtual()
			}
			if err := executor.CanPlay(p); err != nil {
				t.Errorf("seed %d, %+v: %v", seed, options, err)
			}
			hurt := map[flotilla.NodeID]bool{}
			for _, s := range p.Steps {
				if s.Verb != Wipe && s.Verb != Flip && s.Verb != Clear {
					continue
				}
				if s.Nodes.Role != Named {
					t.Errorf("seed %d: it is not known whom `%v` hurts", seed, s)
				}
				for _, id := range s.Nodes.Nodes {
					hurt[id] = true
				}
			}
			if len(hurt) > (p.Copies-1)/2 {
				t.Errorf("seed %d: data of %d nodes is hurt, of %d copies", seed, len(hurt), p.Copies)
			}
		}
	}
}

// TestRandomPlansBreakWhatMatters counts over many seeds: what was found to find
// bugs must stay frequent, and nothing may be left out.
func TestRandomPlansBreakWhatMatters(t *testing.T) {
	seen := map[string]int{}
	steps, downs := 0, 0
	options := Options{Executor: everything()}
	for seed := range uint64(500) {
		for _, s := range Random(seed, options).Steps {
			steps++
			seen[string(s.Verb)]++
			seen[string(s.Boundary)]++
			seen[string(s.Loss)]++
			seen[string(s.File)]++
			seen[string(s.Links.Form)]++
			if s.Verb == Crash && (s.Boundary == BeforeVote || s.Boundary == AfterVote) {
				seen["votes"]++
			}
			if s.Verb == Crash && s.Boundary != "" {
				seen["boundaries"]++
			}
			if !s.IsFinal && s.For > 0 && (s.Verb == Crash || s.Verb == Wipe) {
				downs++
				if s.For <= quick {
					seen["quick"]++
				}
			}
		}
	}
	for _, v := range verbs {
		// These end what others did; random troubles end by themselves.
		isEnd := slices.Contains([]Verb{Start, Resume, Heal, MendDisk, MendClock}, v.verb)
		if seen[string(v.verb)] == 0 && !isEnd {
			t.Errorf("nothing ever has %s", v.verb)
		}
	}
	for _, b := range Moments() {
		if seen[string(b)] == 0 {
			t.Errorf("no crash ever comes %s", b)
		}
	}
	for _, f := range fileForms() {
		if seen[string(f.file)] == 0 {
			t.Errorf("nothing ever rots in %s", f.file)
		}
	}
	for _, form := range []LinkForm{Between, OneWay, FromOne, ToOne, Around, Everywhere} {
		if seen[string(form)] == 0 {
			t.Errorf("no link is ever picked %s", form)
		}
	}
	percent := func(what string, of, least, most int) {
		t.Helper()
		if got := 100 * seen[what] / of; got < least || got > most {
			t.Errorf("%s: %d of %d are %d%%, expected %d to %d", what, seen[what], of, got, least, most)
		}
	}
	percent("boundaries", steps, 25, 45)
	percent("boundaries", seen[string(Crash)], 80, 95)
	percent("votes", seen["boundaries"], 45, 65)
	percent("quick", downs, 45, 55)
	percent(string(LoseAll), seen[string(Crash)], 40, 60)
}

// everything is an executor with all abilities.
func everything() Executor { return Executor{"everything", abilities()} }

// TestRandomLivenessCutsForGood: each plan cuts a link of a minority one way, and
// does not heal it.
func TestRandomLivenessCutsForGood(t *testing.T) {
	for seed := range uint64(200) {
		p := Random(seed, Options{Mode: Liveness})
		isCut := slices.ContainsFunc(p.Steps, func(s Step) bool {
			isOneWay := s.Links.Form == OneWay || s.Links.Form == FromOne || s.Links.Form == ToOne
			return s.Verb == Cut && isOneWay && s.For == 0
		})
		isHealed := slices.ContainsFunc(p.Steps, func(s Step) bool { return s.Verb == Heal })
		if !isCut || isHealed || len(p.Without) == 0 {
			t.Errorf("seed %d: cut one way %v, healed %v\n%s", seed, isCut, isHealed, p)
		}
	}
}

// TestEveryPlanComesToItsEnd plays plans of all kinds, to clusters that have leaders
// now and then only: the player ends, never goes back in time, and in safety mode
// leaves nothing broken behind.
func TestEveryPlanComesToItsEnd(t *testing.T) {
	for seed := range uint64(200) {
		options := Options{Duration: 20_000}
		if seed%4 == 0 {
			options.Mode = Liveness
		}
		p := Random(seed, options)
		cluster := &script{nodes: p.Nodes}
		for at := flotilla.Millis(0); at < 25_000; at += 900 {
			for g := range p.Groups + 1 {
				node := flotilla.NodeID((int(at)/900*7 + int(seed) + g) % (p.Nodes + 1)) // 0: nobody
				cluster.turns = append(cluster.turns, turn{at, flotilla.GroupID(g), node})
			}
		}
		player := NewPlayer(p)
		broken, orders := map[flotilla.NodeID]bool{}, 0
		for {
			at, ok := player.Next()
			if !ok {
				break
			}
			if at < cluster.now || at > p.Duration+2*RoleWait {
				t.Fatalf("seed %d: at %d ms the player wants to go on at %d", seed, cluster.now, at)
			}
			cluster.now = at
			for _, o := range player.Play(at, cluster) {
				orders++
				note(broken, o)
			}
		}
		if orders < len(p.Steps)/2 {
			t.Errorf("seed %d: %d orders for %d steps", seed, orders, len(p.Steps))
		}
		links, conditions := printLinks(player.Network(), p.Nodes), printConditions(player, p.Nodes)
		if p.Mode == Safety && (links != "good" || conditions != "good" || len(broken) > 0) {
			t.Errorf("seed %d: at the end these are broken: links %s, nodes %s, down or paused %v\n%s", seed, links, conditions, broken, p)
		}
	}
}

// note keeps track of which nodes do not run.
func note(broken map[flotilla.NodeID]bool, o Order) {
	for _, node := range o.Nodes {
		switch o.Step.Verb {
		case Kill, Wipe, Pause, Crash:
			if o.Step.Boundary == "" && o.Skipped == "" {
				broken[node] = true
			}
		case Start, Restart, Resume:
			delete(broken, node)
		}
	}
}
