// Package collector runs the sources of events on one node: it keeps them
// alive, bounds what one noisy container can publish, says when a source is
// lost, and never loses silently what they saw.
//
// It is not for any particular source (see runtime/ and its siblings) and
// knows no bus: it declares the one method it needs.
//
// The way of an event: the source's own goroutine calls emit, which takes a
// token of the container's bucket and publishes at once. There is no queue on
// that way, so the order within a source is the order of its calls. Only when
// a publish fails, or while older events still wait, does the event go into
// the spool on disk, from where one goroutine delivers in order. An event
// keeps its id however often it is tried, so the bus can drop the second one.
//
// Start with [Source] and [Run].
package collector
