// Package clustertab is the console's tab of the cluster: nodes, versions, disks and sizes, the
// settings that each node runs with, and charts of the last hour, which each node keeps of itself in bounded memory.
//
// Read in this order: Keeper (keeper.go: what is kept), New (tab.go).
package clustertab
