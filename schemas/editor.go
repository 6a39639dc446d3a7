package schemas

import _ "embed"

// PlaybookSchema and PlaybookTestSchema are the JSON Schemas of what authors
// write, for editors: of NAME.yaml and of NAME.test.yaml. The packages that
// read those files write them anew (services/playbook/document and
// services/workshop/testfile).
var (
	//go:embed playbook.schema.json
	PlaybookSchema string
	//go:embed playbook-test.schema.json
	PlaybookTestSchema string
)
