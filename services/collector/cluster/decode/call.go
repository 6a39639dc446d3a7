package decode

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"firebreak/schemas"
)

// call is one audit event, taken apart.
type call struct {
	*document
	cluster raw

	id   string // CloudEvents id
	time time.Time
	ref  reference
	// What it was about, read before any object is left out.
	around surroundings
	by     account // who called
	as     account // as whom
	code   int     // HTTP status; 0 when nothing says
	cut    bool    // something is left out of audit
	// What can be of any shape is left out too.
	brief bool
}

// account is a user as the API server knows it.
type account struct{ username, uid, groups, extra raw }

// reference is what a call was about.
type reference struct {
	resource, subresource, namespace, name, uid, apiGroup, apiVersion, resourceVersion raw
}

// about compares what a call was about; the core group is "".
func (r *reference) about(group, resource string) bool {
	return r.resource.is(resource) && r.group() == group
}

func (r *reference) group() string { return r.apiGroup.string() }

// read takes the members apart, and says what is missing or of a wrong kind.
func (c *call) read() error {
	if err := c.required(); err != nil {
		return err
	}
	for _, m := range []int{kind, apiVersion, requestURI, userAgent} {
		if err := c.want(m, c.audit[m].text(), "a text"); err != nil {
			return err
		}
	}
	if c.audit[level].is("") {
		c.audit[level] = nil
	}
	if err := c.want(level, oneOf(c.audit[level], "None", "Metadata", "Request", "RequestResponse"), "None, Metadata, Request or RequestResponse"); err != nil {
		return err
	}
	if err := c.want(sourceIPs, allTexts(c.audit[sourceIPs]), "an array of texts"); err != nil {
		return err
	}
	if err := c.want(annotations, mapOf(c.audit[annotations], raw.text), "an object of texts"); err != nil {
		return err
	}
	if c.rest.twice != nil {
		return c.wrong("a member is there twice: " + fmt.Sprintf("%.64q", c.rest.twice))
	}
	return c.inside()
}

// required looks at what every event has.
func (c *call) required() error {
	for _, m := range []int{auditID, verb, stage} {
		if c.audit[m] == nil || c.audit[m].is("") {
			return c.wrong("it has no " + memberNames[m])
		}
		if err := c.want(m, c.audit[m].text(), "a text"); err != nil {
			return err
		}
	}
	if err := c.want(stage, oneOf(c.audit[stage], "RequestReceived", "ResponseStarted", "ResponseComplete", "Panic"), "RequestReceived, ResponseStarted, ResponseComplete or Panic"); err != nil {
		return err
	}
	c.time = time.Time{}
	for _, m := range []int{stageTimestamp, requestReceivedTimestamp, timestamp} {
		if c.audit[m] == nil || m == timestamp && !c.time.IsZero() {
			continue
		}
		at, good := parseTime(c.audit[m])
		if !good {
			return c.wrong(memberNames[m] + " is no time of RFC 3339")
		}
		if c.time.IsZero() {
			c.time = at.UTC()
		}
	}
	if c.time.IsZero() {
		return c.wrong("it has no time: neither stageTimestamp nor requestReceivedTimestamp nor timestamp")
	}
	// The time of an event is kept in nanoseconds since 1970.
	if y := c.time.Year(); y < 1970 || y >= 2262 {
		return c.wrong("its time is not between 1970 and 2262")
	}
	return nil
}

// parseTime is stricter than package time, which takes hours of one digit, a
// comma before the fraction and any offset: the schema of our events does not.
func parseTime(v raw) (time.Time, bool) {
	var at time.Time
	if !v.text() {
		return at, false
	}
	s := plain(v)
	if len(s) < len("2006-01-02T15:04:05Z") || s[13] != ':' || bytes.IndexByte(s, ',') >= 0 {
		return at, false
	}
	if s[len(s)-1] != 'Z' {
		if offset := s[len(s)-5:]; string(offset[:2]) > "23" || string(offset[3:]) > "59" {
			return at, false
		}
	}
	err := at.UnmarshalText(s)
	return at, err == nil
}

// inside takes the nested members apart.
func (c *call) inside() (err error) {
	if c.by, err = c.account(user); err != nil {
		return err
	}
	if c.as, err = c.account(impersonatedUser); err != nil {
		return err
	}
	if err := c.reference(); err != nil {
		return err
	}
	return c.status()
}

func (c *call) account(m int) (a account, err error) {
	if err := c.want(m, c.audit[m].object(), "an object"); err != nil {
		return a, err
	}
	each(c.audit[m], func(key []byte, v raw) {
		good := true
		switch {
		case v.null():
		case string(key) == "username":
			a.username, good = v, v.text()
		case string(key) == "uid":
			a.uid, good = v, v.text()
		case string(key) == "groups":
			a.groups, good = v, allTexts(v)
		case string(key) == "extra":
			a.extra, good = v, mapOf(v, func(of raw) bool { return of.null() || allTexts(of) })
		}
		if !good && err == nil {
			err = c.wrong(memberNames[m] + "." + string(key) + " is of another kind than audit.k8s.io/v1 says")
		}
	})
	return a, err
}

func (c *call) reference() (err error) {
	c.ref = reference{}
	if err := c.want(objectRef, c.audit[objectRef].object(), "an object"); err != nil {
		return err
	}
	each(c.audit[objectRef], func(key []byte, v raw) {
		into := c.ref.field(string(key))
		if into == nil || v.null() {
			return
		}
		if *into = v; !v.text() && err == nil {
			err = c.wrong("objectRef." + string(key) + " is no text")
		}
	})
	return err
}

func (r *reference) field(key string) *raw {
	switch key {
	case "resource":
		return &r.resource
	case "subresource":
		return &r.subresource
	case "namespace":
		return &r.namespace
	case "name":
		return &r.name
	case "uid":
		return &r.uid
	case "apiGroup":
		return &r.apiGroup
	case "apiVersion":
		return &r.apiVersion
	case "resourceVersion":
		return &r.resourceVersion
	}
	return nil
}

func (c *call) status() (err error) {
	c.code = 0
	if err := c.want(responseStatus, c.audit[responseStatus].object(), "an object"); err != nil {
		return err
	}
	each(c.audit[responseStatus], func(key []byte, v raw) {
		good := true
		switch {
		case v.null():
		case string(key) == "code":
			c.code, good = v.number()
		case string(key) == "status", string(key) == "reason", string(key) == "message":
			good = v.text()
		}
		if !good && err == nil {
			err = c.wrong("responseStatus." + string(key) + " is of another kind than audit.k8s.io/v1 says")
		}
	})
	return err
}

// want says that a member, if it is there, is not what it should be.
func (c *call) want(m int, good bool, what string) error {
	if c.audit[m] == nil || good {
		return nil
	}
	return c.wrong(memberNames[m] + " is not " + what)
}

func (c *call) wrong(what string) error {
	if id := c.audit[auditID].string(); id != "" {
		return fmt.Errorf("audit event %.64q: %s: %w", id, what, schemas.ErrInvalid)
	}
	return fmt.Errorf("%s: %w", what, schemas.ErrInvalid)
}

func oneOf(v raw, of ...string) bool {
	for _, s := range of {
		if v.is(s) {
			return true
		}
	}
	return false
}

func allTexts(v raw) bool {
	good := v.array()
	items(v, func(of raw) { good = good && of.text() })
	return good
}

func mapOf(v raw, fits func(raw) bool) bool {
	good := v.object()
	each(v, func(_ []byte, of raw) { good = good && fits(of) })
	return good
}

// attribute makes a CloudEvents attribute of what a caller may have chosen:
// intake takes 1,024 bytes without control characters.
func attribute(s string, room int) string {
	if len(s) <= room && printable(s) {
		return s
	}
	sum := sha256.Sum256([]byte(s))
	return "sha256:" + hex.EncodeToString(sum[:])
}

func printable(s string) bool {
	for _, r := range s {
		if r < 0x20 || r >= 0x7f && r < 0xa0 || r == '\uFFFD' {
			return false
		}
	}
	return true
}
