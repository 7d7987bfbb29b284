package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// TestShownSettings: every setting of a node is shown as it counts, and no secret is.
func TestShownSettings(t *testing.T) {
	dir := t.TempDir()
	password, keys := filepath.Join(dir, "password"), filepath.Join(dir, "keys")
	for file, text := range map[string]string{password: "sesame\n", keys: "alice open-barley\n"} {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var f nodeFlags
	flags := pflag.NewFlagSet("node", pflag.ContinueOnError)
	f.add(flags)
	if err := flags.Parse([]string{"--id=n2", "--cluster=prod", "--members=n1=a:7001,n2=b:7001", "--password-file=" + password, "--queue-keys-file=" + keys,
		"--tls-cert=b.crt", "--tls-key=b.key", "--tls-ca=ca.crt", "--lab", "--memory=1GiB"}); err != nil {
		t.Fatal(err)
	}
	config, err := f.check(func(name string) (string, bool) { return "lab-secret", name == labTokenEnv })
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]string{}
	for _, s := range config.shownSettings() {
		shown[s.Name] = s.Value
		for _, secret := range []string{"sesame", "alice", "open-barley", "lab-secret"} {
			if strings.Contains(s.Value, secret) {
				t.Errorf("%s shows a secret: %s", s.Name, s.Value)
			}
		}
	}
	flags.VisitAll(func(flag *pflag.Flag) {
		if _, is := shown[flag.Name]; !is && isSetting(flag) && flag.Name != "config" {
			t.Errorf("--%s is not shown", flag.Name)
		}
	})
	for name, want := range map[string]string{"id": "n2", "groups": "1", "memory": "1024 MiB", "log-level": "info", "advertise-host": "b", "advertise-http-port": "8080",
		"password-file": "set", "queue-keys-file": "set", "tls-key": "set", "tls-cert": "b.crt", "$" + labTokenEnv: "set", "lab": "true", "join": "false"} {
		if shown[name] != want {
			t.Errorf("%s is %q, want %q", name, shown[name], want)
		}
	}
}
