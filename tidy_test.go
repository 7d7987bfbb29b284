package flotilla_test

import (
	"go/ast"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// The house rules that a machine can check. The reasons are in CONTRIBUTING.md.
const (
	maxFileLines     = 600
	maxFunctionLines = 70
)

func TestFilesAreShort(t *testing.T) {
	for _, s := range parseAll(t) {
		if lines := strings.Count(s.text, "\n"); lines > maxFileLines && !s.isTest {
			t.Errorf("%s has %d lines: it is two subjects (limit %d)", s.path, lines, maxFileLines)
		}
	}
}

func TestFunctionsAreShort(t *testing.T) {
	for _, s := range parseAll(t) {
		for _, decl := range s.tree.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			lines := s.files.Position(f.End()).Line - s.files.Position(f.Pos()).Line + 1
			if lines > maxFunctionLines {
				t.Errorf("%s: %s has %d lines: it is two functions (limit %d)", s.at(f.Pos()), f.Name.Name, lines, maxFunctionLines)
			}
		}
	}
}

func TestPackagesHaveDocs(t *testing.T) {
	hasDoc := map[string]bool{}
	for _, s := range parseAll(t) {
		isDoc := filepath.Base(s.path) == "doc.go" && s.tree.Doc != nil
		hasDoc[s.pkg] = hasDoc[s.pkg] || isDoc
	}
	for pkg, ok := range hasDoc {
		if !ok {
			t.Errorf("package %q has no doc.go with a package comment", pkg)
		}
	}
}

func TestExportedNamesAreDocumented(t *testing.T) {
	for _, s := range parseAll(t) {
		if s.isTest || s.tree.Name.Name == "main" {
			continue
		}
		for _, decl := range s.tree.Decls {
			switch d := decl.(type) {
			case *ast.FuncDecl:
				if d.Name.IsExported() && (d.Recv == nil || ast.IsExported(receiver(d))) {
					checkDoc(t, s, d.Name, d.Doc)
				}
			case *ast.GenDecl:
				checkSpecs(t, s, d)
			}
		}
	}
}

// receiver returns the name of a method's type.
func receiver(f *ast.FuncDecl) string {
	kind := f.Recv.List[0].Type
	for {
		switch k := kind.(type) {
		case *ast.StarExpr:
			kind = k.X
		case *ast.IndexExpr:
			kind = k.X
		case *ast.IndexListExpr:
			kind = k.X
		case *ast.Ident:
			return k.Name
		default:
			return ""
		}
	}
}

// checkSpecs checks types, constants and variables. In a group of constants or
// variables, a comment above the group or beside the name will do.
func checkSpecs(t *testing.T, s source, d *ast.GenDecl) {
	t.Helper()
	for _, spec := range d.Specs {
		switch v := spec.(type) {
		case *ast.TypeSpec:
			doc := v.Doc
			if doc == nil && len(d.Specs) == 1 {
				doc = d.Doc
			}
			if v.Name.IsExported() {
				checkDoc(t, s, v.Name, doc)
			}
		case *ast.ValueSpec:
			for _, name := range v.Names {
				if name.IsExported() && d.Doc == nil && v.Doc == nil && v.Comment == nil {
					t.Errorf("%s: exported %s has no comment", s.at(name.Pos()), name.Name)
				}
			}
		}
	}
}

func checkDoc(t *testing.T, s source, name *ast.Ident, doc *ast.CommentGroup) {
	t.Helper()
	if !strings.HasPrefix(doc.Text(), name.Name+" ") && !strings.HasPrefix(doc.Text(), name.Name+",") {
		t.Errorf("%s: the comment of exported %s must begin with its name", s.at(name.Pos()), name.Name)
	}
}

func TestNothingHappensBeforeMain(t *testing.T) {
	for _, s := range parseAll(t) {
		for _, decl := range s.tree.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil && f.Name.Name == "init" {
				t.Errorf("%s: there is an init", s.at(f.Pos()))
			}
		}
	}
}

func TestNothingIsLeftForLater(t *testing.T) {
	later := regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X|HA` + `CK)\b`)
	for _, s := range parseAll(t) {
		for _, group := range s.tree.Comments {
			if word := later.FindString(group.Text()); word != "" {
				t.Errorf("%s: a comment says %s", s.at(group.Pos()), word)
			}
		}
	}
}

func TestTestsDoNotSleep(t *testing.T) {
	for _, s := range parseAll(t) {
		if !isTestSupport(s) {
			continue
		}
		ast.Inspect(s.tree, func(n ast.Node) bool {
			call, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			if x, isName := call.X.(*ast.Ident); isName && x.Name == "time" && call.Sel.Name == "Sleep" {
				t.Errorf("%s: wait for a condition, not for time", s.at(n.Pos()))
			}
			return true
		})
	}
}

func TestTestNamesReadAsClaims(t *testing.T) {
	name := regexp.MustCompile(`^(Test|Fuzz|Benchmark|Example)([A-Z][A-Za-z0-9]*)?$`)
	for _, s := range parseAll(t) {
		if !s.isTest {
			continue
		}
		for _, decl := range s.tree.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok || f.Recv != nil || !regexp.MustCompile(`^(Test|Fuzz|Benchmark|Example)`).MatchString(f.Name.Name) {
				continue
			}
			if !name.MatchString(f.Name.Name) || regexp.MustCompile(`(Test|[A-Za-z])[0-9]$`).MatchString(f.Name.Name) && !strings.Contains(f.Name.Name, "RESP") {
				t.Errorf("%s: %s does not say what it claims", s.at(f.Pos()), f.Name.Name)
			}
		}
	}
}
