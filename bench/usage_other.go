//go:build !linux

package bench

func readUsage([]int) usage { return usage{server: unknown, client: unknown, machine: unknown} }

func memoryBytes(int) int64 { return -1 }
