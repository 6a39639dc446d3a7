// Package expr compiles and evaluates the expressions of playbooks: conditions
// on events, and the `when`, `target` and ${…} of steps.
//
// The language is CEL. Four rules differ from CEL as it comes:
//
//   - An absent field is an error of the class [ErrAbsent], never a zero
//     value; null counts as absent.
//   - has(a.b.c) and a.?b.orValue(x) work on every path, whether or not a or
//     b are there; has() takes a single name and an index too.
//   - Numbers of JSON mix: a whole number may be compared and calculated with
//     a fraction without conversion.
//   - The cost is bounded when an expression is compiled, by the sizes that
//     ordinary events keep to; one that would exceed it is refused. One that
//     could exceed it on an event as large as intake lets through is counted
//     as it runs, and ends with [ErrCost].
//
// Objects are CEL struct types whose fields are read straight from the
// decoded JSON (map[string]any): native structs would read an absent field as
// a zero value, and with flat variables has(a.b) does not compile.
//
// It reads no clock, no file and no network, and a Program may be used by
// several goroutines at once. It does not know the YAML around an expression.
//
// Start with [Condition] and [StepIn]; a [Compiler] makes many of them at less
// cost. [Program.Explain] takes a condition apart for people, and
// [Program.Witnesses] for the engine's index.
package expr
