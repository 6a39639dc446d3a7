// Package evidence captures what a container was doing, before something
// that would destroy it.
package evidence
