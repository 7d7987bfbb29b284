package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"flotilla"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"
)

// These tests take the settings out of the files for containers, Kubernetes and systemd, and
// ask the program whether it would start with them. Package deploy tests the rest.

// readDeploy reads a file of the repository.
func readDeploy(t *testing.T, name string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(name)))
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}

// imageEnviron is what the Dockerfile sets.
func imageEnviron(t *testing.T) map[string]string {
	t.Helper()
	environ := map[string]string{}
	for _, pair := range regexp.MustCompile(`(?m)^(?:ENV| ) *(FLOTILLA_\w+)=(\S+)`).FindAllStringSubmatch(readDeploy(t, "Dockerfile"), -1) {
		environ[pair[1]] = pair[2]
	}
	if len(environ) < 4 {
		t.Fatalf("found %v in the Dockerfile", environ)
	}
	return environ
}

// wouldStart returns what a node makes of its environment and arguments, or fails the test.
// A password file is taken as there.
func wouldStart(t *testing.T, environ map[string]string, args ...string) nodeConfig {
	t.Helper()
	environ = maps.Clone(environ)
	var f nodeFlags
	flags := pflag.NewFlagSet("node", pflag.ContinueOnError)
	f.add(flags)
	list := []string{}
	for name, value := range environ {
		list = append(list, name+"="+value)
	}
	if err := checkEnviron(flags, list); err != nil {
		t.Fatal(err)
	}
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	lookup := func(name string) (string, bool) { value, ok := environ[name]; return value, ok }
	if err := fillFlags(flags, lookup, f.config); err != nil {
		t.Fatal(err)
	}
	if f.passwordFile != "" {
		f.passwordFile = filepath.Join(t.TempDir(), "password")
		if err := os.WriteFile(f.passwordFile, []byte("sesame\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	config, err := f.check(lookup)
	if err != nil {
		t.Fatalf("%v: %v", list, err)
	}
	return config
}

// variable is ${NAME:-default} in a Compose file.
var variable = regexp.MustCompile(`\$\{(\w+)(:-([^}]*))?\}`)

// composeServices reads services with their variables replaced.
func composeServices(t *testing.T, name string, variables map[string]string) map[string]composeService {
	t.Helper()
	text := variable.ReplaceAllStringFunc(readDeploy(t, name), func(found string) string {
		parts := variable.FindStringSubmatch(found)
		if value, ok := variables[parts[1]]; ok {
			return value
		}
		return parts[3]
	})
	var file struct {
		Services map[string]composeService `yaml:"services"`
	}
	if err := yaml.Unmarshal([]byte(text), &file); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return file.Services
}

type composeService struct {
	Environment map[string]string `yaml:"environment"`
	Ports       []string          `yaml:"ports"`
	Profiles    []string          `yaml:"profiles"`
}

func TestComposeSettingsAreTaken(t *testing.T) {
	variables := map[string]string{}
	for line := range strings.Lines(readDeploy(t, "deploy/five.env")) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(name, "#") {
			variables[name] = value
		}
	}
	secure := composeServices(t, "deploy/secure.yaml", variables)
	for id, service := range composeServices(t, "compose.yaml", variables) {
		environ := imageEnviron(t)
		maps.Copy(environ, service.Environment)
		for _, extra := range []map[string]string{nil, secure[id].Environment} {
			maps.Copy(environ, extra)
			c := wouldStart(t, environ)
			self := c.self()
			told := []string{fmt.Sprintf("127.0.0.1:%d:6379", self.StorePort), fmt.Sprintf("127.0.0.1:%d:9324", self.QueuePort),
				fmt.Sprintf("127.0.0.1:%d:8080", self.HTTPPort)}
			if c.ID.String() != id || self.Host != "127.0.0.1" || !slices.Equal(service.Ports, told) {
				t.Errorf("%s tells clients of %+v, and publishes %v", id, self, service.Ports)
			}
			if c.IsInsecure == (extra != nil) || len(c.Members) != 5 {
				t.Errorf("%s: insecure %v, %d members", id, c.IsInsecure, len(c.Members))
			}
		}
	}
}

func TestKubernetesSettingsAreTaken(t *testing.T) {
	decoder := yaml.NewDecoder(strings.NewReader(readDeploy(t, "deploy/kubernetes.yaml")))
	for {
		var object struct {
			Kind string
			Spec struct {
				Template struct {
					Spec struct {
						Containers []struct {
							Args []string
							Env  []struct{ Name, Value string }
						}
					}
				}
			}
		}
		if err := decoder.Decode(&object); err != nil {
			t.Fatalf("no StatefulSet: %v", err)
		}
		if object.Kind != "StatefulSet" {
			continue
		}
		for pod := 1; pod <= 3; pod++ {
			environ := imageEnviron(t)
			container := object.Spec.Template.Spec.Containers[0]
			expand := map[string]string{"POD_INDEX": fmt.Sprint(pod)}
			for _, e := range container.Env[1:] {
				for name, value := range expand {
					e.Value = strings.ReplaceAll(e.Value, "$("+name+")", value)
				}
				expand[e.Name], environ[e.Name] = e.Value, e.Value
			}
			c := wouldStart(t, environ, container.Args[1:]...)
			want := fmt.Sprintf("flotilla-%d.flotilla-nodes.default.svc.cluster.local", pod)
			if c.ID != flotilla.NodeID(pod) || c.IsInsecure || c.self().Host != want || c.TLSKey != fmt.Sprintf("/keys/n%d.key", pod) {
				t.Errorf("pod %d is %+v", pod, c)
			}
		}
		return
	}
}

// TestServiceSettingsAreTaken reads the command line of the unit for systemd, and the example
// of node.yaml in docs/deploy.md.
func TestServiceSettingsAreTaken(t *testing.T) {
	unit := strings.ReplaceAll(readDeploy(t, "deploy/flotilla.service"), "\\\n", " ")
	line := regexp.MustCompile(`(?m)^ExecStart=/usr/local/bin/flotilla node (.*)$`).FindStringSubmatch(unit)
	example := regexp.MustCompile("(?s)```yaml\n# /etc/flotilla/node.yaml[^\n]*\n(.*?)```").FindStringSubmatch(readDeploy(t, "docs/deploy.md"))
	if line == nil || example == nil {
		t.Fatalf("found the command line: %v, the example: %v", line != nil, example != nil)
	}
	credentials := t.TempDir()
	if err := os.WriteFile(filepath.Join(credentials, "node.yaml"), []byte(example[1]), 0o600); err != nil {
		t.Fatal(err)
	}
	args := strings.Fields(strings.NewReplacer("%d", credentials, "%S", "/var/lib").Replace(line[1]))
	c := wouldStart(t, nil, args...)
	if c.IsInsecure || c.Dir != "/var/lib/flotilla" || len(c.Members) != 3 || c.Password == "" {
		t.Errorf("the service is %+v", c)
	}
}
