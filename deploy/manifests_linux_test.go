package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/yaml"
)

// manifest is what kubernetes.yaml holds.
type manifest struct {
	services map[string]corev1.Service
	set      appsv1.StatefulSet
	budget   policyv1.PodDisruptionBudget
}

// readManifest decodes kubernetes.yaml into Kubernetes' own types. A field that they do not
// have, or of another type, is an error.
func readManifest(t *testing.T) manifest {
	t.Helper()
	raw, err := os.ReadFile("kubernetes.yaml")
	if err != nil {
		t.Fatal(err)
	}
	m := manifest{services: map[string]corev1.Service{}}
	for document := range strings.SplitSeq(string(raw), "\n---\n") {
		var kind metav1.TypeMeta
		if err := yaml.Unmarshal([]byte(document), &kind); err != nil {
			t.Fatal(err)
		}
		var err error
		switch kind.APIVersion + " " + kind.Kind {
		case "v1 Service":
			var service corev1.Service
			err = yaml.UnmarshalStrict([]byte(document), &service)
			m.services[service.Name] = service
		case "apps/v1 StatefulSet":
			err = yaml.UnmarshalStrict([]byte(document), &m.set)
		case "policy/v1 PodDisruptionBudget":
			err = yaml.UnmarshalStrict([]byte(document), &m.budget)
		default:
			t.Errorf("an object of kind %s %s", kind.APIVersion, kind.Kind)
		}
		if err != nil {
			t.Errorf("%s: %v", kind.Kind, err)
		}
	}
	if len(m.services) != 2 || len(m.set.Spec.Template.Spec.Containers) != 1 || m.budget.Name == "" {
		t.Fatalf("found %d services, %d containers, the budget %q", len(m.services), len(m.set.Spec.Template.Spec.Containers), m.budget.Name)
	}
	return m
}

// TestKubernetesObjectsFitTogether checks by name what Kubernetes would only show when it runs.
func TestKubernetesObjectsFitTogether(t *testing.T) {
	m := readManifest(t)
	spec, pod := m.set.Spec, m.set.Spec.Template
	podLabels := labels.Set(pod.Labels)
	for name, selector := range map[string]*metav1.LabelSelector{"set": spec.Selector, "budget": m.budget.Spec.Selector} {
		s, err := metav1.LabelSelectorAsSelector(selector)
		if err != nil || s.Empty() || !s.Matches(podLabels) {
			t.Errorf("the %s selects %v, and pods are %v (%v)", name, s, podLabels, err)
		}
	}
	ports := map[string]bool{}
	for _, port := range pod.Spec.Containers[0].Ports {
		ports[port.Name] = true
	}
	for name, service := range m.services {
		if s := labels.SelectorFromSet(service.Spec.Selector); s.Empty() || !s.Matches(podLabels) {
			t.Errorf("service %s selects %v, and pods are %v", name, s, podLabels)
		}
		for _, port := range service.Spec.Ports {
			if !ports[port.TargetPort.StrVal] {
				t.Errorf("service %s sends to port %s, which pods do not have", name, port.TargetPort.String())
			}
		}
	}
	own, ok := m.services[spec.ServiceName]
	if !ok || own.Spec.ClusterIP != corev1.ClusterIPNone || !own.Spec.PublishNotReadyAddresses {
		t.Errorf("the set's service %q (found: %v) has to give names to pods that are not ready", spec.ServiceName, ok)
	}
	volumes := map[string]bool{}
	for _, v := range pod.Spec.Volumes {
		volumes[v.Name] = true
	}
	for _, v := range spec.VolumeClaimTemplates {
		volumes[v.Name] = true
	}
	for _, mount := range pod.Spec.Containers[0].VolumeMounts {
		if !volumes[mount.Name] {
			t.Errorf("volume %s is mounted, and there is none", mount.Name)
		}
	}
}

// TestKubernetesKeepsMajority holds the manifest against what keeps a cluster served while its
// nodes are replaced.
func TestKubernetesKeepsMajority(t *testing.T) {
	m := readManifest(t)
	spec, pod := m.set.Spec, m.set.Spec.Template.Spec
	container := pod.Containers[0]
	if lost := m.budget.Spec.MaxUnavailable; lost == nil || lost.IntValue() != 1 || *spec.Replicas < 3 {
		t.Errorf("of %d nodes, %v may be taken away at once", *spec.Replicas, lost)
	}
	if spec.UpdateStrategy.Type != appsv1.RollingUpdateStatefulSetStrategyType || spec.PodManagementPolicy != appsv1.ParallelPodManagement {
		t.Errorf("nodes are updated by %s and started by %s", spec.UpdateStrategy.Type, spec.PodManagementPolicy)
	}
	const stopSeconds = 30 // what compose.yaml and flotilla.service give a node
	if grace := *pod.TerminationGracePeriodSeconds; grace < container.Lifecycle.PreStop.Sleep.Seconds+stopSeconds {
		t.Errorf("a node has %d s to stop, of which it waits %d", grace, container.Lifecycle.PreStop.Sleep.Seconds)
	}
	if path := container.ReadinessProbe.HTTPGet.Path; path != "/readyz" {
		t.Errorf("ready is %s", path)
	}
	for _, probe := range []*corev1.Probe{container.LivenessProbe, container.StartupProbe} {
		if probe.HTTPGet.Path != "/healthz" { // else a cluster without a majority would be restarted again and again
			t.Errorf("a node would be restarted for %s", probe.HTTPGet.Path)
		}
	}
	if s := container.SecurityContext; !*pod.SecurityContext.RunAsNonRoot || !*s.ReadOnlyRootFilesystem || *s.AllowPrivilegeEscalation {
		t.Error("nodes have more rights than they need")
	}
}

// TestServiceIsSound has systemd itself read its unit, and judge what it lets a node do.
func TestServiceIsSound(t *testing.T) {
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("needs systemd-analyze (Debian: apt install systemd)")
	}
	raw, err := os.ReadFile("flotilla.service")
	if err != nil {
		t.Fatal(err)
	}
	binary := filepath.Join(t.TempDir(), "flotilla")
	if err := os.WriteFile(binary, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	unit := filepath.Join(t.TempDir(), "flotilla.service")
	if err := os.WriteFile(unit, []byte(strings.ReplaceAll(string(raw), "/usr/local/bin/flotilla", binary)), 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("systemd-analyze", "verify", "--man=no", unit).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("verify: %v\n%s", err, out)
	}
	// 0 is the least that a service can be exposed, 100 the most.
	if out, err := exec.Command("systemd-analyze", "security", "--offline=true", "--threshold=15", "--no-pager", unit).CombinedOutput(); err != nil {
		t.Errorf("security: %v\n%s", err, out)
	}
}
