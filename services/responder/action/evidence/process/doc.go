// Package process reads what processes are doing from /proc.
//
// A process is read through a descriptor of its folder, so that another one
// that gets its number is never taken for it. Nothing here asks a file system
// that the container may serve itself, for such a question may never be
// answered. Values of environment variables are not kept.
//
// Start with [Read]; [Program] opens a program that has no file any more.
package process
