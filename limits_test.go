package flotilla_test

import (
	"go/ast"
	"go/constant"
	"go/printer"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// limitRow is a line of the table in docs/limits.md: file, constant, value, metric.
var limitRow = regexp.MustCompile("^\\|[^|]+\\| `([a-z/_]+\\.go)` `(\\w+)` \\| (\\d+)( [A-Za-z]+)? \\|[^|]+\\| (?:`(\\w+)` )?\\|$")

// units are those of the table; times are in nanoseconds.
var units = map[string]int64{"": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "ms": 1e6, "s": 1e9, "min": 60e9}

func TestLimitsAreAsDocumented(t *testing.T) {
	table, err := os.ReadFile("docs/limits.md")
	if err != nil {
		t.Fatal(err)
	}
	all := parseAll(t)
	metrics := metricText(all)
	rows := 0
	for number, line := range strings.Split(string(table), "\n") {
		if !strings.Contains(line, ".go`") || !strings.HasPrefix(line, "|") {
			continue
		}
		row := limitRow.FindStringSubmatch(line)
		if row == nil {
			t.Errorf("docs/limits.md:%d is not of the form of the others", number+1)
			continue
		}
		rows++
		stated, _ := strconv.ParseInt(row[3], 10, 64)
		scale, ok := units[strings.TrimSpace(row[4])]
		got, found := limitValue(t, all, row[1], row[2])
		if !found || !ok || got != stated*scale {
			t.Errorf("docs/limits.md:%d: %s in %s is %d (found: %v), the table says %s%s", number+1, row[2], row[1], got, found, row[3], row[4])
		}
		if row[5] != "" && !strings.Contains(metrics, metricTail(row[5])) {
			t.Errorf("docs/limits.md:%d: nothing exports %s", number+1, row[5])
		}
	}
	if rows < 30 {
		t.Errorf("read %d rows only", rows)
	}
}

// metricTail is a metric's name as it stands in the code: those of doors and of
// the transport are put together from a prefix and the rest.
func metricTail(name string) string {
	for _, prefix := range []string{"flotilla_redis_", "flotilla_transport_", "flotilla_rest_", "flotilla_sqs_"} {
		if rest, ok := strings.CutPrefix(name, prefix); ok {
			return `"` + rest + `"`
		}
	}
	return `"` + name + `"`
}

// metricText is the code that exports metrics.
func metricText(all []source) string {
	var text strings.Builder
	for _, s := range all {
		if s.pkg == "console" && !s.isTest {
			text.WriteString(s.text)
		}
	}
	return text.String()
}

// limitValue returns the value of a constant, or of a default that setDefault gives
// to a field of that name. Times are in nanoseconds.
func limitValue(t *testing.T, all []source, path, name string) (value int64, ok bool) {
	t.Helper()
	for _, s := range all {
		if filepath.ToSlash(s.path) != path {
			continue
		}
		ast.Inspect(s.tree, func(n ast.Node) bool {
			switch v := n.(type) {
			case *ast.ValueSpec:
				for i, declared := range v.Names {
					if declared.Name == name && i < len(v.Values) {
						value, ok = evaluate(t, v.Values[i], v.Type)
					}
				}
			case *ast.CallExpr:
				if f, isName := v.Fun.(*ast.Ident); isName && f.Name == "setDefault" && len(v.Args) == 2 &&
					strings.HasSuffix(text(v.Args[0]), "."+name) {
					value, ok = evaluate(t, v.Args[1], nil)
				}
			}
			return true
		})
	}
	return value, ok
}

// evaluate computes a constant expression of numbers, time's units and Millis.
func evaluate(t *testing.T, expression, kind ast.Expr) (int64, bool) {
	t.Helper()
	code := text(expression)
	for unit, nanos := range map[string]string{"Millisecond": "1000000", "Second": "1000000000", "Minute": "60000000000", "Hour": "3600000000000"} {
		code = strings.ReplaceAll(code, "time."+unit, nanos)
	}
	result, err := types.Eval(token.NewFileSet(), nil, token.NoPos, code)
	if err != nil {
		t.Errorf("%s: %v", code, err)
		return 0, false
	}
	value, ok := constant.Int64Val(constant.ToInt(result.Value))
	if kind != nil && text(kind) == "flotilla.Millis" {
		value *= 1e6
	}
	return value, ok
}

func text(n ast.Node) string {
	var b strings.Builder
	_ = printer.Fprint(&b, token.NewFileSet(), n) // a builder does not fail
	return b.String()
}
