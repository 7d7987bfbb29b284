package storetab

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"flotilla/console/door"
	"flotilla/store"
)

// Bounds of what is shown.
const (
	pageCount   = 200  // keys of one page of the list, or a few more
	scanCount   = 1000 // keys that are looked at in one go for a prefix
	maxElements = 100  // of a collection
	maxElement  = 500  // bytes of one
	maxShown    = 4096 // bytes of a string
	// lookFor is how long one request looks for keys with a prefix: some hundred thousand keys.
	lookFor = 300 * time.Millisecond
)

// KeyLine is a key in the list.
type KeyLine struct {
	Key   string `json:"key"`
	Shown string `json:"shown"`
	Type  string `json:"type"`
	TTL   int64  `json:"ttl_ms"` // -1: none
	// IsTextKey says that the key is UTF-8: any other one is not the same after its way to a page as JSON.
	IsTextKey bool `json:"text_key"`
}

// keys lists those with a prefix, from a cursor on: a page of them, or as many as a while of looking finds.
func (t *tab) keys(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	cursor := q.Get("cursor")
	if cursor == "" {
		cursor = "0"
	}
	t.withDoor(w, r, func(c *door.Client) (any, error) {
		count := scanCount
		if q.Get("prefix") == "" {
			count = pageCount
		}
		lines := []KeyLine{}
		for began := time.Now(); ; {
			reply, err := c.Do("SCAN", cursor, "MATCH", escapeGlob(q.Get("prefix"))+"*", "COUNT", strconv.Itoa(count))
			if err = errors.Join(err, reply.Err()); err != nil || len(reply.Items) != 2 {
				return nil, fmt.Errorf("list the keys: %w", err)
			}
			for _, k := range reply.Items[1].Items {
				lines = append(lines, KeyLine{Key: string(k.Text), Shown: escape(k.Text, 200), IsTextKey: utf8.Valid(k.Text)})
			}
			cursor = string(reply.Items[0].Text)
			if cursor == "0" || len(lines) >= pageCount || time.Since(began) > lookFor {
				break
			}
		}
		if err := fillLines(c, lines); err != nil {
			return nil, err
		}
		lines = slices.DeleteFunc(lines, func(l KeyLine) bool { return l.Type == "none" }) // gone since
		slices.SortFunc(lines, func(a, b KeyLine) int { return strings.Compare(a.Key, b.Key) })
		return struct {
			Cursor string    `json:"cursor"`
			Keys   []KeyLine `json:"keys"`
		}{cursor, lines}, nil
	})
}

// fillLines asks for types and TTLs.
func fillLines(c *door.Client, lines []KeyLine) error {
	for part := range slices.Chunk(lines, 50) {
		var commands [][]string
		for _, l := range part {
			commands = append(commands, []string{"TYPE", l.Key}, []string{"PTTL", l.Key})
		}
		replies, err := c.Pipeline(commands)
		if err != nil {
			return err
		}
		for i := range part {
			if err := errors.Join(replies[2*i].Err(), replies[2*i+1].Err()); err != nil {
				return fmt.Errorf("ask for the type of %s, and when it ends: %w", part[i].Shown, err)
			}
			part[i].Type = string(replies[2*i].Text)
			if part[i].TTL, err = strconv.ParseInt(string(replies[2*i+1].Text), 10, 64); err != nil {
				return fmt.Errorf("read when %s ends: %w", part[i].Shown, err)
			}
		}
	}
	return nil
}

// escapeGlob has each character of a prefix stand for itself.
func escapeGlob(prefix string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`, `]`, `\]`).Replace(prefix)
}

// KeyView is a key with its value.
type KeyView struct {
	KeyLine
	Place
	// Value of a string; Pairs of what else: element, or field and value, or member and score.
	Value  string      `json:"value"`
	IsText bool        `json:"text"` // the value can be edited as it is shown
	Pairs  [][2]string `json:"pairs"`
	Texts  []bool      `json:"texts"` // of each pair, whether it is text, shown whole: it can be edited
	Size   int64       `json:"size"`  // bytes, or elements
	IsPart bool        `json:"part"`  // not all of it is shown
}

// sizes and looks are how a value of each type is measured and looked at.
var (
	sizes = map[string]string{"string": "STRLEN", "hash": "HLEN", "list": "LLEN", "set": "SCARD", "zset": "ZCARD"}
	looks = map[string][]string{"hash": {"HSCAN", "", "0", "COUNT", "100"}, "list": {"LRANGE", "", "0", "99"}, "set": {"SSCAN", "", "0", "COUNT", "100"},
		"zset": {"ZRANGE", "", "0", "99", "WITHSCORES"}, "string": {"GETRANGE", "", "0", strconv.Itoa(maxShown)}}
)

// key shows one key. One that does not exist has a place, too: where it would go.
func (t *tab) key(w http.ResponseWriter, r *http.Request) {
	key := r.URL.Query().Get("key")
	t.withDoor(w, r, func(c *door.Client) (any, error) {
		v := KeyView{KeyLine: KeyLine{Key: key, Shown: escape([]byte(key), 200), IsTextKey: utf8.ValidString(key)}, Place: t.place(key)}
		lines := []KeyLine{v.KeyLine}
		if err := fillLines(c, lines); err != nil {
			return nil, err
		}
		v.KeyLine = lines[0]
		look := slices.Clone(looks[v.Type])
		if look == nil {
			return v, nil
		}
		look[1] = key
		replies, err := c.Pipeline([][]string{{sizes[v.Type], key}, look})
		if err != nil {
			return nil, err
		}
		if err := replies[1].Err(); err != nil {
			return nil, err
		}
		v.Size, _ = strconv.ParseInt(string(replies[0].Text), 10, 64) // 0 if the door refused it
		v.fill(replies[1])
		return v, nil
	})
}

// fill puts in what is to be shown of the value.
func (v *KeyView) fill(r door.Reply) {
	if v.Type == "string" {
		v.IsPart = len(r.Text) > maxShown
		v.IsText = !v.IsPart && utf8.Valid(r.Text) && !strings.ContainsFunc(string(r.Text), isUnseen)
		if v.Value = string(r.Text); !v.IsText {
			v.Value = escape(r.Text, maxShown)
		}
		return
	}
	items := r.Items
	if v.Type == "hash" || v.Type == "set" { // the cursor comes first
		items = r.Items[1].Items
	}
	if v.Type == "hash" {
		for i := 0; i+1 < len(items); i += 2 {
			v.add(items[i].Text, items[i+1].Text)
		}
	}
	for i, item := range items {
		switch {
		case v.Type == "zset" && len(item.Items) == 2:
			v.add(item.Items[0].Text, item.Items[1].Text)
		case v.Type == "list":
			v.add([]byte(strconv.Itoa(i)), item.Text)
		case v.Type == "set":
			v.add(item.Text, nil)
		}
	}
	v.IsPart = int64(len(v.Pairs)) < v.Size
}

// add puts in an element, or a field and its value, or a member and its score.
func (v *KeyView) add(name, value []byte) {
	if len(v.Pairs) == maxElements {
		return
	}
	shownName, isName := shownLine(name)
	shownValue, isValue := shownLine(value)
	v.Pairs = append(v.Pairs, [2]string{shownName, shownValue})
	v.Texts = append(v.Texts, isName && isValue)
}

// shownLine returns bytes as they are shown, and whether that is what they are: a line of text, as a form has it.
func shownLine(b []byte) (shown string, isWhole bool) {
	if len(b) <= maxElement && utf8.Valid(b) && !strings.ContainsFunc(string(b), unicode.IsControl) {
		return string(b), true
	}
	return escape(b, maxElement), false
}

func isUnseen(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }

// escape writes bytes as text, with \xhh for what is none.
func escape(b []byte, limit int) string {
	more := ""
	if len(b) > limit {
		b, more = b[:limit], "…"
	}
	quoted := strconv.Quote(string(b))
	return strings.ReplaceAll(quoted[1:len(quoted)-1], `\"`, `"`) + more
}

// command carries out a line of the page's command line.
func (t *tab) command(w http.ResponseWriter, r *http.Request) {
	var ask struct {
		Line string   `json:"line"`
		Args []string `json:"args"` // instead of a line
	}
	if !readJSON(w, r, &ask) {
		return
	}
	args, err := ask.Args, error(nil)
	if args == nil {
		args, err = split(ask.Line)
	}
	if err == nil && len(args) == 0 {
		err = errors.New("type a command, such as: SET greeting hello")
	}
	if err == nil {
		err = check(args)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	t.withDoor(w, r, func(c *door.Client) (any, error) {
		reply, err := c.Do(args...)
		if err != nil {
			return nil, err
		}
		return struct {
			Text    string `json:"text"`
			IsError bool   `json:"error"`
		}{render(reply, ""), reply.Err() != nil}, nil
	})
}

// check refuses what makes no sense in a connection that lasts for one command.
func check(args []string) error {
	words := make([][]byte, 0, len(args))
	for _, a := range args {
		words = append(words, []byte(a))
	}
	if c := store.Find(words); c != nil {
		if why := refusal(c); why != "" {
			return errors.New(why)
		}
	}
	return nil
}

// refusal says why a command is not for here, or nothing.
func refusal(c *store.Command) string {
	name, _, _ := strings.Cut(c.Name, "|")
	switch {
	case c.Flags&store.Blocking != 0, slices.Contains([]string{"subscribe", "psubscribe", "ssubscribe", "unsubscribe", "punsubscribe", "sunsubscribe", "monitor"}, name):
		return strings.ToUpper(name) + " waits for others: use redis-cli"
	case slices.Contains([]string{"multi", "exec", "discard", "watch", "unwatch", "auth", "hello", "quit", "reset", "select", "readonly", "readwrite", "consistency", "client", "wait", "waitaof", "asking"}, name):
		return strings.ToUpper(name) + " is about a connection, and each line here has one of its own: use redis-cli"
	}
	return ""
}

// split makes words of a line, with quotes and backslashes as redis-cli has them.
func split(line string) (words []string, err error) {
	rest := strings.TrimSpace(line)
	for rest != "" {
		var word string
		switch rest[0] {
		case '"':
			quoted, err := strconv.QuotedPrefix(rest)
			if err != nil {
				return nil, errors.New("a quote is not closed")
			}
			if word, err = strconv.Unquote(quoted); err != nil {
				return nil, errors.New("what follows a backslash can not be read")
			}
			rest = rest[len(quoted):]
		case '\'':
			end := strings.IndexByte(rest[1:], '\'')
			if end < 0 {
				return nil, errors.New("a quote is not closed")
			}
			word, rest = rest[1:1+end], rest[end+2:]
		default:
			end := strings.IndexFunc(rest, unicode.IsSpace)
			if end < 0 {
				end = len(rest)
			}
			word, rest = rest[:end], rest[end:]
		}
		if rest != "" && !unicode.IsSpace(rune(rest[0])) {
			return nil, errors.New("a quoted word ends with a space")
		}
		words, rest = append(words, word), strings.TrimSpace(rest)
	}
	return words, nil
}

// render writes a reply as redis-cli does.
func render(r door.Reply, indent string) string {
	switch r.Kind {
	case '_':
		return "(nil)"
	case ':':
		return "(integer) " + string(r.Text)
	case ',':
		return "(double) " + string(r.Text)
	case '#':
		return map[string]string{"t": "(true)", "f": "(false)"}[string(r.Text)]
	case '-', '!':
		return "(error) " + string(r.Text)
	case '+':
		return string(r.Text)
	case '=':
		return string(r.Text[min(4, len(r.Text)):])
	case '*', '~', '>', '%', '^':
		return renderItems(r, indent)
	}
	if strings.ContainsRune(string(r.Text), '\n') && utf8.Valid(r.Text) {
		return string(r.Text)
	}
	return `"` + escape(r.Text, maxShown) + `"`
}

func renderItems(r door.Reply, indent string) string {
	if len(r.Items) == 0 {
		return "(empty)"
	}
	var lines []string
	for i, item := range r.Items {
		head := fmt.Sprintf("%d) ", i+1)
		if r.Kind == '%' {
			head = fmt.Sprintf("%d# ", i/2+1)
			if i%2 == 1 {
				lines[len(lines)-1] += " => " + render(item, indent+"   ")
				continue
			}
		}
		text := head + render(item, indent+strings.Repeat(" ", len(head)))
		if i > 0 {
			text = indent + text
		}
		lines = append(lines, text)
	}
	return strings.Join(lines, "\n")
}
