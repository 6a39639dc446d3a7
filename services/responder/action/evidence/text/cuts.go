package text

import "fmt"

// maxCuts is how many are told one by one.
const maxCuts = 24

// Cuts tells what is missing in a piece of evidence. It is bounded itself.
type Cuts struct {
	list []string
	more int
}

// Add tells one thing.
func (c *Cuts) Add(format string, args ...any) {
	if len(c.list) >= maxCuts {
		c.more++
		return
	}
	c.list = append(c.list, fmt.Sprintf(format, args...))
}

// List gives all that was told.
func (c *Cuts) List() []string {
	if c.more > 0 {
		return append(c.list[:len(c.list):len(c.list)], fmt.Sprintf("and %d more like these", c.more))
	}
	return c.list
}
