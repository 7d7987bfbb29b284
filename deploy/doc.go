// Package deploy has the files with which nodes run elsewhere than under `flotilla up`, and
// tests of them: it has no code.
//
//	../Dockerfile ../compose.yaml    an image with nothing but the program; three nodes in containers
//	five.env secure.yaml             five nodes; TLS and a password
//	flotilla.service                 a node as a service of systemd
//	kubernetes.yaml                  a StatefulSet, its services and its disruption budget
//
// docs/deploy.md says how to use them.
//
// The tests start real containers, break them under load, and judge what clients were told
// (compose_linux_test.go and more_linux_test.go, with what it needs of the engine in engine_linux_test.go and of clients in
// writer_linux_test.go and
// queue_linux_test.go). They need a Docker engine and Compose, and no registry. Kubernetes and
// systemd are not run: their files are held against their schemas (manifests_linux_test.go).
// That the settings in all of these are ones that a node takes is tested in cmd/flotilla.
package deploy
