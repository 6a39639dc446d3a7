// Package playbooks is the built-in library: playbooks that a deployment has
// without writing any.
//
// They say guard.mode: enforce where that is sensible, and are capped to
// observe until the operator says `library: enforce`. One folder for each
// arena, one file for each playbook; nothing else belongs here.
package playbooks

import "embed"

// FS holds the library's files; playbook.FromFS reads it.
//
//go:embed */*.yaml
var FS embed.FS
