// Package json holds the JSON Schemas of the wire contract, one file for each
// type of event and kind of record, named by the CloudEvents type.
//
// The files are generated (go run ./schemas/gen); nothing here is written by
// hand but this. Import it under another name: encoding/json has this one.
package json

import "embed"

// FS holds the schemas: <CloudEvents type>.json.
//
//go:embed *.json
var FS embed.FS
