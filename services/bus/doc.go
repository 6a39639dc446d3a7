// Package bus is Firebreak's two logs and what stands beside them, on NATS
// JetStream: EVENTS (what happened), LEDGER (what we decided and did),
// INVENTORY and STATE (buckets), BLOBS (evidence, by digest).
//
// It is for connecting ([Dial], [Server.Connect]), for the methods of
// [Client], for running the embedded server ([Start]) and for setting up an
// external one ([Users], [Migrate]). It decides nothing and knows no playbook,
// incident or action. No service imports it: each declares the few methods it
// needs, and cmd/firebreak hands it a [Client].
//
// # Who may do what
//
// NATS permissions inside one account do not hold against the server's own
// answers: the server publishes them on whatever reply subject a request names,
// with its own rights. So every user has an account of its own, without
// JetStream, that imports exactly its rights from the account FIREBREAK, where
// the streams live (rights.go lists them; [Users] writes them down). No user
// may create a consumer either, because the request names the subject that the
// server then publishes to. Instead
//
//   - what is new arrives by the streams' republish subjects
//     (firebreak.live.…), which an account can import only within its rights;
//   - what was before is read by direct get by those who may read a whole
//     store, and by a consumer that the administrator made, with the node's
//     own subjects as its filter, by those who may not.
//
// [Client.FollowLedger] and its siblings join the two (follow.go). A record is
// handed on only when its signature is one of a key in the [Roster], and
// [Allowed] lets that key's role write it there.
//
// # What happens at the limits
//
// EVENTS lets go of the oldest, and a reader that comes too late is told by an
// event of type schemas.LogGap. The others refuse what does not fit with
// [ErrFull]. The embedded server watches the disk: below Space.Low EVENTS and
// BLOBS are refused with [ErrNoSpace]; below Space.Critical a ballast file is
// freed for the LEDGER, for a nats-server without disk space turns JetStream
// off altogether. One that met a full disk writes no more: it is started anew in
// place when there is room, and [Server.Failed] tells when that does not help.
//
// # What is waited for
//
// Calls and followers wait while the server is away, or a store has no leader.
// They end with [ErrNoStore] when the server says that the store is gone, or
// when it is no longer the one that was read (gone.go, follow.go).
package bus
