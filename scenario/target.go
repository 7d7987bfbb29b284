package scenario

import (
	"fmt"
	"strconv"
	"strings"

	"flotilla"
)

const (
	nodesHelp = "nodes, such as n2, n1 n3, leader of group 1, a follower of group 1, followers of group 1, or all"
	nodeHelp  = "a node, such as n2, leader of group 1 or a follower of group 1"
	linksHelp = "links: between n1 and n2, from n1 to n2, from n1, to n1, around n1, or everywhere"
)

// target takes NODES.
func (w *words) target() Target {
	switch {
	case w.peek() == "":
		w.unexpected(nodesHelp)
	case w.take("all"):
		return Target{Role: All}
	case w.take(string(Followers)):
		return Target{Role: Followers, Group: w.group()}
	case parseNode(w.peek()) != 0:
		t := Target{Role: Named}
		for id := parseNode(w.peek()); id != 0; id = parseNode(w.peek()) {
			w.next()
			t.Nodes = append(t.Nodes, id)
		}
		return t
	default:
		return w.role(nodesHelp)
	}
	return Target{}
}

// oneNode takes NODE.
func (w *words) oneNode() Target {
	if id := parseNode(w.peek()); id != 0 {
		w.next()
		return Target{Role: Named, Nodes: []flotilla.NodeID{id}}
	}
	return w.role(nodeHelp)
}

// role takes a role that one node has.
func (w *words) role(help string) Target {
	for _, role := range []Role{Leader, Follower} {
		if w.take(string(role)) {
			return Target{Role: role, Group: w.group()}
		}
	}
	word := w.peek()
	if rest := strings.TrimRight(word, ","); rest != word && parseNode(rest) != 0 {
		w.fail(fmt.Sprintf("%q is no node", word), "put spaces between nodes, and nothing else: n1 n3")
	}
	if _, isNumber := parseNumber(strings.TrimPrefix(word, "n")); isNumber {
		w.fail(fmt.Sprintf("%q is no node", word), "they are called n1, n2, n3")
	}
	w.unexpected(help)
	return Target{}
}

func (w *words) group() flotilla.GroupID {
	return flotilla.GroupID(w.number("a group's number", 0, MaxGroups))
}

// parseNode reads n2; 0 is no node.
func parseNode(word string) flotilla.NodeID {
	digits, ok := strings.CutPrefix(word, "n")
	if n, isNumber := parseNumber(digits); ok && isNumber && digits[0] != '0' {
		return flotilla.NodeID(n)
	}
	return 0
}

// String returns the target as it stands in a text; empty for the zero Target.
func (t Target) String() string {
	switch t.Role {
	case Named:
		var names []string
		for _, id := range t.Nodes {
			names = append(names, id.String())
		}
		return strings.Join(names, " ")
	case Leader, Follower, Followers:
		return string(t.Role) + " " + strconv.Itoa(int(t.Group))
	}
	return string(t.Role)
}

// hasGroup reports whether the target is a role in a group.
func (t Target) hasGroup() bool { return t.Role == Leader || t.Role == Follower || t.Role == Followers }

// linksClause takes LINKS.
func linksClause() clause {
	return clause{"LINKS", func(w *words, s *Step) { s.Links = w.links() }, func(s Step) string { return s.Links.String() }}
}

func (w *words) links() Links {
	switch {
	case w.take("everywhere"):
		return Links{Form: Everywhere}
	case w.take("between"):
		l := Links{Form: Between, A: w.oneNode()}
		w.need("and")
		l.B = w.oneNode()
		return l
	case w.take("around"):
		return Links{Form: Around, A: w.oneNode()}
	case w.take("to"):
		return Links{Form: ToOne, A: w.oneNode()}
	case w.take("from"):
		l := Links{Form: FromOne, A: w.oneNode()}
		if w.take("to") {
			l.Form, l.B = OneWay, w.oneNode()
		}
		return l
	}
	w.unexpected(linksHelp)
	return Links{}
}

// String returns the links as they stand in a text; empty for the zero Links.
func (l Links) String() string {
	switch l.Form {
	case "":
		return ""
	case Everywhere:
		return "everywhere"
	case Between:
		return "between " + l.A.String() + " and " + l.B.String()
	case OneWay:
		return "from " + l.A.String() + " to " + l.B.String()
	}
	return string(l.Form) + " " + l.A.String()
}
