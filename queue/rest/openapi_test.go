package rest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"flotilla/golden"
)

// spec is openapi.json, as far as the tests look at it.
type spec struct {
	OpenAPI string `json:"openapi"`
	Info    struct {
		Description string `json:"description"`
	} `json:"info"`
	Paths      map[string]map[string]operation `json:"paths"`
	Components struct {
		Schemas   map[string]schema   `json:"schemas"`
		Responses map[string]response `json:"responses"`
	} `json:"components"`
}

type operation struct {
	ID          string              `json:"operationId"`
	Summary     string              `json:"summary"`
	Description string              `json:"description"`
	Parameters  []parameter         `json:"parameters"`
	Body        *response           `json:"requestBody"`
	Responses   map[string]response `json:"responses"`
}

type parameter struct {
	Name        string `json:"name"`
	In          string `json:"in"`
	Required    bool   `json:"required"`
	Description string `json:"description"`
	Schema      schema `json:"schema"`
}

type response struct {
	Ref     string             `json:"$ref"`
	Content map[string]content `json:"content"`
}

type content struct {
	Schema  schema          `json:"schema"`
	Example json.RawMessage `json:"example"`
}

type schema struct {
	Ref         string            `json:"$ref"`
	Type        string            `json:"type"`
	Format      string            `json:"format"`
	Description string            `json:"description"`
	Required    []string          `json:"required"`
	Properties  map[string]schema `json:"properties"`
	Items       *schema           `json:"items"`
	Additional  json.RawMessage   `json:"additionalProperties"`
	OneOf       []schema          `json:"oneOf"`
}

func readSpec(t *testing.T) (s spec) {
	t.Helper()
	if err := json.Unmarshal(openapi, &s); err != nil {
		t.Fatal(err)
	}
	if s.OpenAPI != "3.1.0" {
		t.Fatalf("OpenAPI %s", s.OpenAPI)
	}
	return s
}

// TestEachRouteIsDescribed compares the table of routes with the paths of openapi.json:
// parameters, requests and replies, both ways.
func TestEachRouteIsDescribed(t *testing.T) {
	s := readSpec(t)
	described := 0
	for _, operations := range s.Paths {
		described += len(operations)
	}
	if described != len(routes) {
		t.Errorf("%d operations are described, there are %d", described, len(routes))
	}
	for _, r := range routes {
		o, ok := s.Paths[prefix+r.path][strings.ToLower(r.method)]
		if !ok {
			t.Errorf("%s %s is not described", r.method, r.path)
			continue
		}
		var inPath, inQuery []string
		for _, p := range o.Parameters {
			switch {
			case p.In == "path" && p.Required:
				inPath = append(inPath, p.Name)
			case p.In == "query" && !p.Required:
				inQuery = append(inQuery, p.Name)
			default:
				t.Errorf("%s: the parameter %s is neither of the path nor of the query", o.ID, p.Name)
			}
		}
		if !slices.Equal(inPath, parameters(r.path)) || !slices.Equal(inQuery, r.query) {
			t.Errorf("%s has the parameters %v, %v; described are %v, %v", o.ID, parameters(r.path), r.query, inPath, inQuery)
		}
		if o.Responses["default"].Ref != "#/components/responses/Error" {
			t.Errorf("%s has no error", o.ID)
		}
		compareBody(t, o.ID+"'s request", o.Body, r.in)
		if r.out == (nothing{}) {
			if _, ok := o.Responses["204"]; !ok || len(o.Responses) != 2 {
				t.Errorf("%s answers nothing; described are %v", o.ID, slices.Collect(maps.Keys(o.Responses)))
			}
			continue
		}
		reply := o.Responses["200"]
		compareBody(t, o.ID+"'s reply", &reply, func() any { return reflect.New(reflect.TypeOf(r.out).Elem()).Interface() })
	}
	e := s.Components.Responses["Error"]
	compareBody(t, "an error", &e, func() any { return new(failure) })
}

// compareBody compares a body with its Go type, and takes its example for a test.
func compareBody(t *testing.T, what string, described *response, makeOne func() any) {
	t.Helper()
	if described == nil || makeOne == nil {
		if (described == nil) != (makeOne == nil) {
			t.Errorf("%s: one side has a body, the other none", what)
		}
		return
	}
	c := described.Content["application/json"]
	value := makeOne()
	name := typeName(reflect.TypeOf(value).Elem())
	if c.Schema.Ref != "#/components/schemas/"+name {
		t.Errorf("%s is a %s, described is %s", what, name, c.Schema.Ref)
	}
	if len(c.Example) == 0 {
		t.Errorf("%s has no example", what)
		return
	}
	decoder := json.NewDecoder(bytes.NewReader(c.Example))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(value); err != nil {
		t.Errorf("the example of %s: %v", what, err)
	}
	again, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	var want, got any
	_ = json.Unmarshal(c.Example, &want) // it is JSON: see above
	_ = json.Unmarshal(again, &got)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("the example of %s comes back as\n%s", what, again)
	}
}

// typeName is what a Go type is called in openapi.json.
func typeName(kind reflect.Type) string {
	if kind == reflect.TypeFor[failure]() {
		return "Error"
	}
	return kind.Name()
}

// TestEachFieldIsDescribed compares the Go types of all bodies with the schemas, both ways.
func TestEachFieldIsDescribed(t *testing.T) {
	s := readSpec(t)
	seen := map[string]bool{}
	walk := walker{t: t, spec: s, seen: seen}
	for _, r := range routes {
		if r.in != nil {
			walk.named(reflect.TypeOf(r.in()).Elem())
		}
		if r.out != (nothing{}) {
			walk.named(reflect.TypeOf(r.out).Elem())
		}
	}
	walk.named(reflect.TypeFor[failure]())
	for name := range s.Components.Schemas {
		if !seen[name] && name != "Blob" {
			t.Errorf("the schema %s is of nothing", name)
		}
	}
}

type walker struct {
	t    *testing.T
	spec spec
	seen map[string]bool
}

// named compares a struct with the schema of its name.
func (w walker) named(kind reflect.Type) {
	name := typeName(kind)
	if w.seen[name] {
		return
	}
	w.seen[name] = true
	described, ok := w.spec.Components.Schemas[name]
	if !ok {
		w.t.Errorf("there is no schema %s", name)
		return
	}
	if described.Description == "" || string(described.Additional) != "false" {
		w.t.Errorf("the schema %s has no description, or allows what is not described", name)
	}
	found := map[string]bool{}
	w.fields(name, kind, described, found)
	for field := range described.Properties {
		if !found[field] {
			w.t.Errorf("%s.%s is described, and not there", name, field)
		}
	}
}

func (w walker) fields(name string, kind reflect.Type, described schema, found map[string]bool) {
	for i := range kind.NumField() {
		f := kind.Field(i)
		if f.Anonymous {
			w.fields(name, f.Type, described, found)
			continue
		}
		tag, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if tag == "-" || !f.IsExported() {
			continue
		}
		found[tag] = true
		property, ok := described.Properties[tag]
		if !ok {
			w.t.Errorf("%s.%s is not described", name, tag)
			continue
		}
		isOptional := strings.Contains(options, "omitempty") || strings.Contains(options, "omitzero")
		if slices.Contains(described.Required, tag) == isOptional {
			w.t.Errorf("%s.%s: optional: %v, and described otherwise", name, tag, isOptional)
		}
		if property.Description == "" && property.Ref == "" {
			w.t.Errorf("%s.%s: nothing says what it is", name, tag)
		}
		if got, want := w.shape(f.Type, strings.Contains(options, "string")), describedShape(property); got != want {
			w.t.Errorf("%s.%s is %s, described is %s", name, tag, got, want)
		}
	}
}

// shape writes a Go type as describedShape writes a schema.
func (w walker) shape(kind reflect.Type, isText bool) string {
	switch {
	case kind == reflect.TypeFor[time.Time]():
		return "string date-time"
	case kind == reflect.TypeFor[Blob]():
		return "Blob"
	case isText:
		return "string"
	}
	switch kind.Kind() {
	case reflect.Pointer:
		return w.shape(kind.Elem(), isText)
	case reflect.Struct:
		w.named(kind)
		return typeName(kind)
	case reflect.Slice:
		return "list of " + w.shape(kind.Elem(), false)
	case reflect.Map:
		return "map of " + w.shape(kind.Elem(), false)
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "boolean"
	case reflect.Int64, reflect.Uint64:
		return "integer int64"
	}
	w.t.Errorf("what is %v in JSON?", kind)
	return ""
}

func describedShape(s schema) string {
	switch {
	case s.Ref != "":
		return strings.TrimPrefix(s.Ref, "#/components/schemas/")
	case s.Items != nil:
		return "list of " + describedShape(*s.Items)
	case s.Type == "object" && len(s.Additional) > 0:
		var of schema
		_ = json.Unmarshal(s.Additional, &of) // a schema, or false
		return "map of " + describedShape(of)
	}
	return strings.TrimSpace(s.Type + " " + s.Format)
}

// TestReference makes docs/queue-api.md of openapi.json: go test ./queue/rest -run TestReference -update.
func TestReference(t *testing.T) {
	golden.File(t, "../../docs/queue-api.md", reference(readSpec(t)))
}

func reference(s spec) string {
	var b strings.Builder
	b.WriteString("# The queue's native API\n\nMade from [openapi.json](../queue/rest/openapi.json) (OpenAPI 3.1), which every node serves at `" + descriptionPath +
		"`; a test holds both and the code together.\n\n" + s.Info.Description + "\n\n```sh\n" +
		"curl -X PUT -H 'Content-Type: application/json' -d '{\"attributes\":{\"ResultRetentionPeriod\":\"3600\"}}' http://127.0.0.1:9324" + prefix + "/queues/mail\n" +
		"curl -H 'Content-Type: application/json' -d '{\"messages\":[{\"body\":\"hello\"}]}' http://127.0.0.1:9324" + prefix + "/queues/mail/messages\n```\n\n## Requests\n")
	for _, r := range routes {
		o := s.Paths[prefix+r.path][strings.ToLower(r.method)]
		fmt.Fprintf(&b, "\n### %s\n`%s %s%s`", o.Summary, r.method, prefix, r.path)
		if o.Description != "" {
			fmt.Fprintf(&b, "\n\n%s", o.Description)
		}
		b.WriteString("\n")
		for i, p := range o.Parameters {
			if i == 0 {
				b.WriteString("\n")
			}
			fmt.Fprintf(&b, "- `%s` (%s): %s\n", p.Name, p.In, p.Description)
		}
		if o.Body != nil {
			example(&b, "Request", o.Body.Content["application/json"])
		}
		if reply, ok := o.Responses["200"]; ok {
			example(&b, "Reply", reply.Content["application/json"])
		} else {
			b.WriteString("\nReply: 204, and no body.\n")
		}
	}
	b.WriteString("\n## Bodies\n\nWhat is in **bold** has to be there.\n")
	for _, name := range slices.Sorted(maps.Keys(s.Components.Schemas)) {
		described := s.Components.Schemas[name]
		fmt.Fprintf(&b, "\n### %s\n%s\n", name, described.Description)
		if len(described.Properties) == 0 {
			continue
		}
		b.WriteString("\n| member | type | what it is |\n|---|---|---|\n")
		for _, member := range slices.Sorted(maps.Keys(described.Properties)) {
			p := described.Properties[member]
			text := p.Description
			if text == "" && p.Ref != "" {
				text = s.Components.Schemas[describedShape(p)].Description
			}
			if slices.Contains(described.Required, member) {
				member = "**" + member + "**"
			}
			fmt.Fprintf(&b, "| %s | %s | %s |\n", member, describedShape(p), text)
		}
	}
	return b.String()
}

func example(b *strings.Builder, what string, c content) {
	var pretty bytes.Buffer
	_ = json.Indent(&pretty, c.Example, "", "  ") // it was read as JSON
	fmt.Fprintf(b, "\n%s, a [%s](#%s):\n```json\n%s\n```\n", what, describedShape(c.Schema), strings.ToLower(describedShape(c.Schema)), pretty.String())
}

// TestTheDescriptionIsJSONThatPeopleRead keeps the file in one form.
func TestTheDescriptionIsJSONThatPeopleRead(t *testing.T) {
	raw, err := os.ReadFile("openapi.json")
	if err != nil {
		t.Fatal(err)
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, raw, "", "  "); err != nil || pretty.String() != string(raw) {
		t.Errorf("openapi.json is not indented by two spaces (%v)", err)
	}
}
