// Package decode makes events of what other tools send to the gateway: alerts
// of Falco, events of Tetragon, and CloudEvents of anybody.
//
// It listens nowhere, keeps nothing and asks no clock: the same bytes give the
// same events with the same ids, so an alert that is delivered twice is stored
// once, and a replay of a file sees what the gateway saw. It joins nothing
// either: an event knows what its tool wrote, no more. What a tool did not
// write is absent, and what it wrote stays whole beside the entities.
//
// Container ids are as the tool has them: Falco gives the first 12 characters,
// Tetragon sometimes 31. Whoever joins an event with the inventory looks for
// the id that begins so.
//
// Start with [Falco], [Tetragon] and [CloudEvents]; [Sniff] guesses which of
// them a line is for.
package decode
