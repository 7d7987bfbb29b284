package scenario

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"flotilla"
)

// header is a line that says something of the plan as a whole, at most once.
type header struct {
	word string // with which it begins
	form string
	what string
	read func(w *words, p *Plan)
	// write returns what follows the word; empty means that there is no such line.
	write func(p *Plan) string
}

// headers is the grammar of all lines but steps, in the order of printing.
var headers = slices.Concat(planHeaders(), workloadHeaders())

func planHeaders() []header {
	return []header{
		{"name", "name WORD", "what the plan is called: a-z, 0-9 and - between them; required", readName,
			func(p *Plan) string { return p.Name }},
		{"teaches", "teaches TEXT", "what one learns from it, in a line", readTeaches,
			func(p *Plan) string { return p.Teaches }},
		{"mode", "mode safety, or mode liveness without NODES", "what is demanded in the end; safety unless said", readMode, writeMode},
		{"demand", demandForm, "what is demanded besides, in any order: that each step that waits for a moment meets it at least once; " +
			"the longest time for which a group leaves changes, linearizable reads or weak reads without an answer; how much of an effect there is, as below; how many elections there are at most", readDemand, writeDemand},
		{"nodes", "nodes N", "how many nodes; 3 unless said",
			func(w *words, p *Plan) { p.Nodes = w.number("a number of nodes", 1, MaxNodes) },
			func(p *Plan) string { return strconv.Itoa(p.Nodes) }},
		{"copies", "copies N", "how many nodes hold a copy of each group; 3 unless said, or all if there are fewer nodes",
			func(w *words, p *Plan) { p.Copies = w.number("a number of copies", 1, MaxCopies) },
			func(p *Plan) string { return strconv.Itoa(p.Copies) }},
		{"groups", "groups N", "how many groups besides the directory, which is group 0; 1 unless said",
			func(w *words, p *Plan) { p.Groups = w.number("a number of groups", 1, MaxGroups) },
			func(p *Plan) string { return strconv.Itoa(p.Groups) }},
		{"for", "for T", "how long clients work and things break; required",
			func(w *words, p *Plan) { p.Duration = w.duration("time", 1, MaxDuration) },
			func(p *Plan) string { return formatDuration(p.Duration) }},
		{"calm", "calm T", "how long the cluster has after that to become whole and equal; 30s unless said",
			func(w *words, p *Plan) { p.Calm = w.duration("time", 1, MaxDuration) },
			func(p *Plan) string { return formatDuration(p.Calm) }},
	}
}

func workloadHeaders() []header {
	return []header{
		{"clients", "clients N", "how many clients ask, each for one thing at a time; 8 unless said",
			func(w *words, p *Plan) { p.Workload.Clients = w.number("a number of clients", 1, MaxClients) },
			func(p *Plan) string { return strconv.Itoa(p.Workload.Clients) }},
		{"think", "think T [to T]", "how long a client waits before it asks again; 1ms to 10ms unless said",
			func(w *words, p *Plan) { p.Workload.Think = w.span("time", MaxDelay) },
			func(p *Plan) string { return formatSpan(p.Workload.Think) }},
		{"load", "load OPERATION P%... [over N keys]", "what they ask for, 100% together, over so many keys of each kind; `" +
			writeLoad(defaults()) + "` unless said", readLoad, writeLoad},
		{"values", "values SIZE [to SIZE]", "how long what they write is; 16B unless said", readValues,
			func(p *Plan) string { return formatSizes(p.Workload.ValueBytes) }},
		{"reads", "reads LEVEL P%...", "at which levels they read, 100% together: linearizable, session, bounded T, eventual; all linearizable unless said",
			readReads, writeReads},
	}
}

// defaults is what a plan is before its text was read.
func defaults() *Plan {
	return &Plan{
		Mode: Safety, Nodes: 3, Copies: defaultCopies, Groups: 1, Calm: 30_000,
		Workload: Workload{
			Clients: 8, Think: Span{1, 10}, Keys: 10, ValueBytes: Sizes{16, 16},
			Load:  []Part{{Set, 35_00}, {Get, 40_00}, {Incr, 15_00}, {CAS, 10_00}},
			Reads: []Reading{{Level: flotilla.Linearizable, Share: Whole}},
		},
	}
}

func readName(w *words, p *Plan) {
	p.Name = w.next()
	if p.Name == "" {
		w.unexpected("a name")
		return
	}
	if !isName(p.Name) {
		w.fail(fmt.Sprintf("%q is no name", p.Name), fmt.Sprintf("use a-z, 0-9 and - between them, %d at most, as in leader-cut-off", maxNameBytes))
	}
}

func isName(name string) bool {
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && !isDigit(c) && c != '-' {
			return false
		}
	}
	return len(name) <= maxNameBytes && !strings.HasPrefix(name, "-") && !strings.HasSuffix(name, "-")
}

func readTeaches(w *words, p *Plan) {
	p.Teaches = strings.Join(w.rest(), " ")
	if p.Teaches == "" {
		w.unexpected("a sentence")
	}
	if len(p.Teaches) > maxTeachesBytes {
		w.fail(fmt.Sprintf("the sentence has %d bytes", len(p.Teaches)), fmt.Sprintf("use %d at most", maxTeachesBytes))
	}
}

func readMode(w *words, p *Plan) {
	p.Mode = Mode(w.oneOf("mode", []string{string(Safety), string(Liveness)}))
	if p.Mode != Liveness {
		return
	}
	w.need("without")
	for id := parseNode(w.peek()); id != 0; id = parseNode(w.peek()) {
		w.next()
		if slices.Contains(p.Without, id) {
			w.fail(fmt.Sprintf("%v is named twice", id), "name each node once")
		}
		p.Without = append(p.Without, id)
	}
	if len(p.Without) == 0 {
		w.unexpected("the nodes that the others must do without, such as n3")
	}
	slices.Sort(p.Without)
}

func writeMode(p *Plan) string {
	if p.Mode != Liveness {
		return string(p.Mode)
	}
	return string(Liveness) + " without " + Target{Role: Named, Nodes: p.Without}.String()
}

func readLoad(w *words, p *Plan) {
	var known []string
	for _, o := range operations() {
		known = append(known, string(o.operation))
	}
	p.Workload.Load = nil
	var sum Share
	for w.err == nil && w.peek() != "" && w.peek() != "over" {
		part := Part{Operation: Operation(w.oneOf("operation", known)), Share: w.share()}
		for _, before := range p.Workload.Load {
			if before.Operation == part.Operation {
				w.fail(fmt.Sprintf("%s is named twice", part.Operation), "name each operation once, with its whole share")
			}
		}
		p.Workload.Load = append(p.Workload.Load, part)
		sum += part.Share
	}
	wantWhole(w, "operations", sum)
	if w.take("over") {
		p.Workload.Keys = w.number("a number of keys", 1, MaxKeys)
		if !w.take("key") {
			w.need("keys")
		}
	}
}

func wantWhole(w *words, what string, sum Share) {
	if sum == 0 {
		w.unexpected(what + " and their shares")
	}
	if sum != Whole {
		w.fail(fmt.Sprintf("the shares are %v together", sum), "make it 100%")
	}
}

func writeLoad(p *Plan) string {
	var text strings.Builder
	for _, part := range p.Workload.Load {
		fmt.Fprintf(&text, "%s %v ", part.Operation, part.Share)
	}
	fmt.Fprintf(&text, "over %d key", p.Workload.Keys)
	if p.Workload.Keys != 1 {
		text.WriteString("s")
	}
	return text.String()
}

func readValues(w *words, p *Plan) {
	size := func() int { return w.size("a value", minValueBytes, MaxValueBytes) }
	least := size()
	p.Workload.ValueBytes = Sizes{least, least}
	if w.take("to") {
		p.Workload.ValueBytes.Most = size()
	}
	if s := p.Workload.ValueBytes; s.Most < s.Least {
		w.fail(fmt.Sprintf("%s to %s", formatSize(s.Least), formatSize(s.Most)), "put the smaller size first")
	}
}

func formatSizes(s Sizes) string {
	if s.Least == s.Most {
		return formatSize(s.Least)
	}
	return formatSize(s.Least) + " to " + formatSize(s.Most)
}

// levelNames by flotilla.Level, the strongest first.
func levelNames() []string { return []string{"linearizable", "session", "bounded", "eventual"} }

func levelName(l flotilla.Level) string {
	if int(l) < len(levelNames()) {
		return levelNames()[l]
	}
	return "level-" + strconv.Itoa(int(l)) // which no text can say
}

func readReads(w *words, p *Plan) {
	p.Workload.Reads = nil
	var sum Share
	for w.err == nil && w.peek() != "" {
		var r Reading
		r.Level = flotilla.Level(max(slices.Index(levelNames(), w.oneOf("level", levelNames())), 0))
		if r.Level == flotilla.Bounded {
			r.MaxAge = w.duration("greatest age", 1, MaxDuration)
		}
		r.Share = w.share()
		for _, before := range p.Workload.Reads {
			if before.Level == r.Level && before.MaxAge == r.MaxAge {
				w.fail(levelName(r.Level)+" is named twice", "name each level once, with its whole share")
			}
		}
		p.Workload.Reads = append(p.Workload.Reads, r)
		sum += r.Share
	}
	wantWhole(w, "levels", sum)
}

func writeReads(p *Plan) string {
	var parts []string
	for _, r := range p.Workload.Reads {
		text := levelName(r.Level)
		if r.Level == flotilla.Bounded {
			text += " " + formatDuration(r.MaxAge)
		}
		parts = append(parts, text+" "+r.Share.String())
	}
	return strings.Join(parts, " ")
}
