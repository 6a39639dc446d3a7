// Package telemetry sets up how Firebreak speaks to its operator: one
// structured logger, made once and handed to every service.
//
// It is not for events and records, which are CloudEvents on the bus, and it
// keeps no global logger: whoever wants to log is given a [log/slog.Logger] by
// its constructor.
//
// Two promises hold for every line, whatever a service hands in. No secret is
// written: attributes that are named like one, seeds of nkeys, private keys
// and the credentials in a URL are masked. And no text steers the terminal or begins a
// line of its own, since much of what is logged was written by an attacker.
//
// Start with [New].
package telemetry
