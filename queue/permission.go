package queue

import (
	"encoding/json"
	"slices"
)

// Permissions are statements of a queue's policy, which is kept and shown but never
// asked: who may use the door may do all that it offers.

// AddPermission adds a statement to a queue's policy; Done. Statement is JSON, whose
// Sid is the label. If the queue has no policy, Policy is one without statements.
type AddPermission struct{ QueueName, Label, Statement, Policy string }

func (*AddPermission) op() byte { return 'W' }
func (m *AddPermission) fields(c *coder) {
	c.text(&m.QueueName)
	c.text(&m.Label)
	c.text(&m.Statement)
	c.text(&m.Policy)
}

// RemovePermission takes the statement with a label out of a queue's policy; Done.
type RemovePermission struct{ QueueName, Label string }

func (*RemovePermission) op() byte          { return 'w' }
func (m *RemovePermission) fields(c *coder) { c.text(&m.QueueName); c.text(&m.Label) }

// policyDocument is a policy, of which the machine knows the statements only.
type policyDocument struct {
	members    map[string]json.RawMessage
	statements []json.RawMessage
}

// parsePolicy reads a policy, in which one statement may stand without a list.
func parsePolicy(text string) (p policyDocument, ok bool) {
	if json.Unmarshal([]byte(text), &p.members) != nil || p.members == nil {
		return p, false
	}
	all := p.members["Statement"]
	if len(all) > 0 && all[0] != '[' {
		all = slices.Concat(json.RawMessage("["), all, json.RawMessage("]"))
	}
	return p, all == nil || json.Unmarshal(all, &p.statements) == nil
}

// isPolicy reports whether a text is a policy: an object whose Statement is an object, or a
// list of objects.
func isPolicy(text string) bool {
	p, ok := parsePolicy(text)
	return ok && p.members["Statement"] != nil && !slices.ContainsFunc(p.statements, func(raw json.RawMessage) bool { return !isObject(raw) })
}

func isObject(raw json.RawMessage) bool {
	var members map[string]json.RawMessage
	return json.Unmarshal(raw, &members) == nil && members != nil
}

// at returns the place of the statement with a label, or -1.
func (p *policyDocument) at(label string) int {
	return slices.IndexFunc(p.statements, func(raw json.RawMessage) bool {
		var statement struct{ Sid string }
		return json.Unmarshal(raw, &statement) == nil && statement.Sid == label
	})
}

// render returns the policy as text, or an empty one if it has no statements left.
func (p *policyDocument) render() string {
	if len(p.statements) == 0 {
		return ""
	}
	p.members["Statement"] = mustJSON(p.statements)
	return string(mustJSON(p.members))
}

// mustJSON renders what was read as JSON before.
func mustJSON(value any) json.RawMessage {
	b, err := json.Marshal(value)
	if err != nil {
		panic(err) // a bug: raw messages were valid
	}
	return b
}

func badLabel(label, reason string) *Error {
	return invalid("Value " + label + " for parameter Label is invalid. Reason: " + reason)
}

func (e *entry) addPermission(c *AddPermission) *Error {
	q := e.queue(c.QueueName)
	if q == nil {
		return NoSuchQueue()
	}
	old := q.settings.texts[policy]
	if old == "" {
		old = c.Policy
	}
	p, ok := parsePolicy(old)
	if !ok || !json.Valid([]byte(c.Statement)) {
		return invalidAttribute(textNames[policy])
	}
	if p.at(c.Label) >= 0 {
		return badLabel(c.Label, "Already exists.")
	}
	p.statements = append(p.statements, json.RawMessage(c.Statement))
	return e.setPolicy(q, p.render())
}

func (e *entry) removePermission(c *RemovePermission) *Error {
	q := e.queue(c.QueueName)
	if q == nil {
		return NoSuchQueue()
	}
	p, _ := parsePolicy(q.settings.texts[policy])
	at := p.at(c.Label)
	if at < 0 {
		return badLabel(c.Label, "can't find label.")
	}
	p.statements = slices.Delete(p.statements, at, at+1)
	return e.setPolicy(q, p.render())
}

func (e *entry) setPolicy(q *queue, text string) *Error {
	if err := q.settings.setText(policy, text); err != nil {
		return err
	}
	q.modified, q.isRecordChanged = e.now, true
	return nil
}
