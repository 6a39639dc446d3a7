// Package window keeps the open windows of all matches: which events of a
// group took part so far, as times, sequences and hashes, never their data.
//
// A million of them must fit beside everything else a node runs, and the
// garbage collector must not walk them. So slots, lanes and entries lie in
// arenas without pointers and name one another by number; 0 names none.
//
//	slot   a window: one match, one group
//	lane   what an operator tells apart in it: an operand, or a value
//	entry  one event of a lane; the newest first
//
// It does not know operators or time: what is kept, cut and closed is for the
// engine to say. Start with [Store.Open].
package window
