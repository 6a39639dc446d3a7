// Package decode makes events of what registries and image scanners send:
// notifications of the distribution registry, webhooks of Harbor, reports of
// Trivy and of its operator.
//
// It fetches nothing, keeps nothing and asks no clock: the same bytes give the
// same events with the same ids, so a message that is delivered twice is stored
// once, and a replay sees what the collector saw. Whom to trust, and how a body
// comes in, is the business of the collectors that call it.
//
// A body may hold several things. Each one that can be read becomes an event;
// the error names the others, so an event and an error can come together.
//
// Start with [Distribution], [Harbor] and [Trivy].
package decode
