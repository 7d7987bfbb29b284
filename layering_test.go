package flotilla_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// mayImport says which of our packages each package may import, besides the
// root, which all may. "" is the root. A package that is missing here fails the
// test: whoever adds one thinks about where it belongs.
//
// The idea: systems and consensus know only the words; whoever drives them knows
// them; nobody in production knows the tests.
var mayImport = map[string][]string{
	"":                      {},
	"consensus":             {},
	"store":                 {},
	"store/redis":           {"store"},
	"httpserve":             {},
	"queue/intake":          {},
	"queue/sqs":             {"httpserve", "queue", "queue/intake"},
	"queue/rest":            {"httpserve", "queue", "queue/intake"},
	"queue/queuetest":       {"cluster", "queue", "storage", "transport"},
	"queue/rest/resttest":   {"queue/queuetest", "queue/rest"},
	"queue/worker":          {"queue", "queue/rest"},
	"queue":                 {},
	"storage":               {"consensus", "storage/wal"},
	"storage/wal":           {},
	"cluster":               {"consensus"},
	"transport":             {"consensus", "cluster"},
	"supervisor":            {"cluster", "httpserve", "transport"},
	"console":               {"cluster", "console/door", "httpserve", "queue", "queue/intake", "store", "store/redis", "supervisor", "transport"}, // it shows their counters, and asks them
	"console/door":          {},
	"console/clustertab":    {"cluster", "console", "store/redis"},
	"console/queuetab":      {"console", "queue", "queue/rest"},
	"console/storetab":      {"cluster", "console", "console/door", "store"}, // it asks what placing would do
	"console/browsertest":   {},
	"bench":                 {},
	"check":                 {},
	"scenario":              {},
	"lab":                   {"check", "cluster", "lab/powercut", "scenario", "storage/wal", "supervisor", "transport"},
	"lab/labtest":           {"supervisor"},
	"lab/moment":            {"cluster", "consensus", "scenario"},
	"lab/powercut":          {},
	"sim":                   {"check", "cluster", "consensus", "queue", "scenario", "storage", "storage/wal", "store", "transport"},
	"cmd/flotilla":          {"bench", "cluster", "consensus", "console", "console/clustertab", "console/door", "console/queuetab", "console/storetab", "lab", "lab/moment", "queue", "queue/rest", "queue/sqs", "queue/worker", "scenario", "sim", "storage", "store", "store/redis", "supervisor", "transport"},
	"store/redis/redistest": {"store", "store/redis"},
	"storage/conformance":   {"consensus", "storage"},
	"supervisor/fakenode":   {"cluster", "transport"},
	"faulttest":             {"bench", "check", "cluster", "lab", "scenario"},
	"deploy":                {},
	"golden":                {},
}

// testOnly are packages that only tests may import.
var testOnly = []string{"console/browsertest", "deploy", "faulttest", "golden", "lab/labtest", "queue/queuetest", "queue/rest/resttest", "store/redis/redistest", "storage/conformance", "supervisor/fakenode"}

// homes says in which packages a third-party module may be used by production
// code. One home each: what is used everywhere can not be replaced. Where there
// are two, the module's types are part of a seam between them.
var homes = map[string][]string{
	"go.etcd.io/raft/v3":                   {"consensus", "storage"},
	"go.etcd.io/raft/v3/raftpb":            {"consensus", "storage", "cluster", "sim", "lab/moment"}, // messages, entries, HardStates
	"github.com/cockroachdb/pebble/v2":     {"storage"},
	"github.com/cockroachdb/pebble/v2/vfs": {"storage", "storage/wal", "sim", "lab"}, // the file system that a disk is given
	"github.com/tidwall/btree":             {"storage"},
	"google.golang.org/grpc":               {"transport"},
	"google.golang.org/protobuf":           {"consensus", "storage", "cluster"}, // the bytes of raftpb
	"github.com/spf13/cobra":               {"cmd/flotilla"},
	"github.com/spf13/pflag":               {"cmd/flotilla"},
	"golang.org/x/sync":                    {"cmd/flotilla"},
	"github.com/prometheus/client_golang":  {"console"},
	"golang.org/x/net/http/httpguts":       {"httpserve"}, // the rules for headers that net/http itself goes by
	"golang.org/x/sys":                     {"storage", "supervisor", "lab/powercut"},
	"golang.org/x/term":                    {"cmd/flotilla"},
	"go.yaml.in/yaml/v3":                   {"cmd/flotilla"},
	"github.com/redis/go-redis/v9":         {"bench", "lab"},
	"github.com/anishathalye/porcupine":    {"check"},
	"github.com/hanwen/go-fuse/v2":         {"lab/powercut"},
}

// pure are the packages that see no clock, no chance, no file and no goroutine.
var pure = []string{"", "consensus", "store", "queue", "scenario"}

// seeded are pure packages that may draw by chance, but only from a seed that they are given.
var seeded = []string{"scenario"}

// impure are the imports that a pure package must not have, with all below them.
var impure = []string{"time", "os", "net", "sync", "math/rand", "crypto/rand", "log", "log/slog", "syscall"}

// source is one parsed file of ours.
type source struct {
	pkg    string // folder, "" for the root
	path   string
	isTest bool
	text   string
	tree   *ast.File
	files  *token.FileSet
}

// at says where a node of the file is, as file:line.
func (s source) at(pos token.Pos) string { return s.files.Position(pos).String() }

// parseAll reads every Go file of the module.
func parseAll(t *testing.T) []source {
	t.Helper()
	var all []source
	err := filepath.WalkDir(".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		base := entry.Name()
		if entry.IsDir() && name != "." && (base == "testdata" || base[0] == '.' || base[0] == '_' || strings.HasPrefix(base, "flotilla-data")) {
			return filepath.SkipDir
		}
		if entry.IsDir() || !strings.HasSuffix(base, ".go") {
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		files := token.NewFileSet()
		tree, err := parser.ParseFile(files, name, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		pkg := strings.TrimPrefix(path.Dir(filepath.ToSlash(name)), ".")
		all = append(all, source{pkg: pkg, path: name, isTest: strings.HasSuffix(base, "_test.go"),
			text: string(text), tree: tree, files: files})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 10 {
		t.Fatalf("found %d files only", len(all))
	}
	return all
}

func imports(s source) []string {
	var paths []string
	for _, spec := range s.tree.Imports {
		paths = append(paths, strings.Trim(spec.Path.Value, `"`))
	}
	return paths
}

// isTestSupport reports whether the file is a test or belongs to a package for tests.
func isTestSupport(s source) bool { return s.isTest || slices.Contains(testOnly, s.pkg) }

func TestPackagesImportOnlyWhatTheyMay(t *testing.T) {
	for _, s := range parseAll(t) {
		allowed, known := mayImport[s.pkg]
		if !known {
			t.Errorf("%s: package %q has no line in mayImport (layering_test.go)", s.path, s.pkg)
			continue
		}
		for _, imported := range imports(s) {
			ours, isOurs := strings.CutPrefix(imported, "flotilla/")
			if !isOurs {
				continue
			}
			if !isTestSupport(s) && !slices.Contains(allowed, ours) {
				t.Errorf("%s: package %q must not import %q", s.path, s.pkg, ours)
			}
			if !isTestSupport(s) && slices.Contains(testOnly, ours) {
				t.Errorf("%s: %q is for tests only", s.path, ours)
			}
		}
	}
}

func TestModulesHaveOneHome(t *testing.T) {
	for _, s := range parseAll(t) {
		if isTestSupport(s) {
			continue
		}
		for _, imported := range imports(s) {
			first, _, _ := strings.Cut(imported, "/")
			if !strings.Contains(first, ".") {
				continue // the standard library, or ours
			}
			if home, ok := homeOf(imported); !ok || !slices.Contains(home, s.pkg) {
				t.Errorf("%s: %q is not at home in %q (see homes in layering_test.go)", s.path, imported, s.pkg)
			}
		}
	}
}

// homeOf returns the homes of the longest entry that the import falls under.
func homeOf(imported string) (home []string, ok bool) {
	longest := ""
	for module := range homes {
		isUnder := imported == module || strings.HasPrefix(imported, module+"/")
		if isUnder && len(module) > len(longest) {
			longest = module
		}
	}
	return homes[longest], longest != ""
}

// isShell reports whether a file of a pure package says that it is not pure: its name
// is client.go or client_*.go, and a comment calls it a shell.
func isShell(s source) bool {
	name := path.Base(filepath.ToSlash(s.path))
	return (name == "client.go" || strings.HasPrefix(name, "client_")) && strings.Contains(s.text, "This file is a shell")
}

func TestPurePackagesArePure(t *testing.T) {
	for _, s := range parseAll(t) {
		if s.isTest || !slices.Contains(pure, s.pkg) || isShell(s) {
			continue
		}
		for _, imported := range imports(s) {
			for _, bad := range impure {
				isSeeded := imported == "math/rand/v2" && slices.Contains(seeded, s.pkg)
				if (imported == bad || strings.HasPrefix(imported, bad+"/")) && !isSeeded {
					t.Errorf("%s: a pure package must not import %q", s.path, imported)
				}
			}
		}
		ast.Inspect(s.tree, func(n ast.Node) bool {
			switch v := n.(type) {
			case *ast.SelectorExpr:
				name, isName := v.X.(*ast.Ident)
				if isName && name.Name == "rand" && !slices.Contains([]string{"New", "NewPCG", "Rand"}, v.Sel.Name) {
					t.Errorf("%s: rand.%s draws without a seed that was given", s.at(n.Pos()), v.Sel.Name)
				}
			case *ast.GoStmt:
				t.Errorf("%s: a pure package starts no goroutine", s.at(n.Pos()))
			case *ast.SelectStmt:
				t.Errorf("%s: a pure package has no select", s.at(n.Pos()))
			}
			return true
		})
	}
}
