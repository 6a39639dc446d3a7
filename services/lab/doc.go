// Package lab runs a real containerd with real containers for tests, the demo
// and the measurements.
//
// A lab has its own root, state, socket and cgroup subtree, and one image made
// in memory from the host's static busybox, so that nothing is pulled and no
// other containerd of the host is touched. Containers live in the network
// namespace of the host: a lab is for what happens to processes, not to
// networks. It is not for production: it has no registry, CRI or network.
//
// It needs root, Linux, and the programs containerd, containerd-shim-runc-v2,
// runc and a static busybox (Debian: containerd runc busybox-static).
//
// Start with [Start], or [Temp] in a test, then [Lab.Run].
package lab
