// Package testfile reads the tests that lie beside a playbook, NAME.test.yaml:
// strictly, and keeping the place of everything, so that whatever is wrong or
// fails later can be pointed at.
//
// It gives events that are ready to be applied: with ids, sources and times,
// their data checked against the schema of their type. It runs nothing
// (package trial does) and knows no playbook beside the name of the one that
// is tested.
//
// # The file
//
// NAME.test.yaml holds `playbook: NAME` and `tests:`, a list. A test has
//
//   - name: what is the matter in it
//   - events: what happens. at: when, from the beginning on (0s by default);
//     type and data as playbooks know them; id, source and subject where they
//     matter; host: short for data.host.name; stored: when the log took it;
//     times and every: so many of it, ${n} in its texts being the number from 1;
//     or as and raw: an event as another tool writes it
//   - inventory: pods and containers that steps may ask for
//   - mock: what becomes of steps, by id or action: a state, a state with its
//     reason, or a list of them for one attempt after the other. A place that is
//     not mocked succeeds
//   - hold: true when all automatic acts are on hold
//   - silent: types whose source was not alive, from and to; all others are
//   - until: how far time runs on; by default until nothing waits any more
//   - expect: incidents, all of them, each with what it is to be known by (by,
//     at) and what is to be true of it (severity, recurred, outcome, steps, not);
//     unknown: groups of which it cannot be told whether something failed to come
//
// steps are all that ran, in their order, by id or action; or objects with do or
// id, target, state, cause and with (parameters, as they came out). A step that
// did not run is named where its state is what matters. A state counts as
// reached when the step had it before it was let go.
//
// Decisions taken here:
//   - What a type's schema requires and a test leaves out is filled in, so that
//     a test says what matters to its playbook and nothing else; fill.go has the
//     values.
//   - Raw events of other tools run through the decoders that the collectors
//     use; the reader is given them, so that this package knows no format.
//   - Times are offsets from [Start].
//
// It is pure. Start with [Read].
package testfile
