// Package conformance is the suite that every listed action has to pass, on the
// real world it acts on: planning writes nothing, applying twice equals once, a
// crash between any two records loses no prior state, two holders let go in
// either order, undo restores, and a verification never says contained when it
// is not.
//
// It is for tests only. Start with [Case] and [Run]; the suite itself is tested
// against actions that are broken on purpose.
package conformance
