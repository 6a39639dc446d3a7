// Package usage is the source that samples what every container uses: CPU as
// a share of one core since the last sample, memory and tasks.
//
// It reads the kernel's own counters of the container's cgroup (v1, hybrid and
// v2), never through the runtime: fifty containers cost some hundred reads of
// small files in ten seconds. Memory is what the cgroup is charged with, page
// cache included.
//
// Start with [New].
package usage
