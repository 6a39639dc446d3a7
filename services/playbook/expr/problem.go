package expr

import (
	"errors"
	"strings"
)

// ErrAbsent is the class of errors about something that the data does not hold.
var ErrAbsent = errors.New("absent")

// ErrCost is the class of errors about an evaluation that took more steps
// than an expression may.
var ErrCost = errors.New("too costly")

// Problem is something wrong or doubtful at a place in an expression's text.
type Problem struct {
	Line, Column int // from 1; columns count characters
	Message      string
	Fix          string
}

// Problems is what is wrong with an expression: the error that compiling gives.
type Problems []Problem

// Error joins the messages.
func (p Problems) Error() string {
	texts := make([]string, len(p))
	for i, one := range p {
		texts[i] = one.Message
		if one.Fix != "" {
			texts[i] += " (" + one.Fix + ")"
		}
	}
	return strings.Join(texts, "; ")
}

// absentError says which path was absent. It is made for every event that
// lacks a field, so it costs little.
type absentError struct{ path string }

func (e *absentError) Error() string { return e.path + " is absent" }

// Is makes it one of the class ErrAbsent.
func (e *absentError) Is(target error) bool { return target == ErrAbsent }

// evalError is how an evaluation failed; class is nil, ErrAbsent or ErrCost.
type evalError struct {
	text  string
	cause error
	class error
}

func (e *evalError) Error() string { return e.text + ": " + e.cause.Error() }

// Is makes it one of its class.
func (e *evalError) Is(target error) bool { return e.class != nil && target == e.class }

// Unwrap gives the cause.
func (e *evalError) Unwrap() error { return e.cause }
