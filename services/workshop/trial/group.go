package trial

import (
	"reflect"

	"firebreak/services/workshop/testfile"
)

// sameGroup says whether a group of the engine is the one that a test means.
func sameGroup(want testfile.Group, group string, key map[string]any) bool {
	if want.Fields != nil {
		for path, value := range want.Fields {
			if got, has := key[path]; !has || !reflect.DeepEqual(got, value) {
				return false
			}
		}
		return true
	}
	return want.String() == group
}
