package bus

import (
	"fmt"
	"strings"
)

// mainAccount holds the streams; only the administrator is in it.
const mainAccount = "FIREBREAK"

// exports are what accounts may import from the main account at all; what each
// does import is its rights. Answers of direct get and of a consumer are many
// to one request.
const exports = `    exports: [
      {service: "firebreak.events.>"}
      {service: "firebreak.ledger.>"}
      {service: "$KV.INVENTORY.>"}
      {service: "$KV.STATE.>"}
      {service: "$O.BLOBS.>"}
      {service: "$JS.API.DIRECT.GET.>", response: stream}
      {service: "$JS.API.CONSUMER.MSG.NEXT.>", response: stream}
      {service: "$JS.API.CONSUMER.RESET.>"}
      {service: "$JS.API.STREAM.NAMES"}
      {stream: "firebreak.live.>"}
    ]
`

// Users writes the accounts, keys and permissions of a roster as a block of
// nats-server's configuration. The embedded server runs on the same block. An
// external one needs JetStream (nats-server 2.14 or newer) and must not define
// accounts of the same names.
func Users(cluster string, roster Roster) (string, error) {
	if err := roster.check(); err != nil {
		return "", err
	}
	admin := roster.Public(Admin)
	if admin == "" {
		return "", fmt.Errorf("users of the bus: %w: the roster has no key of the administrator", ErrDenied)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "accounts {\n  FIREBREAK_SYS {}\n  %s {\n    jetstream: enabled\n    users: [{nkey: %q}]\n%s  }\n", mainAccount, admin, exports)
	for _, k := range roster.Keys {
		if k.User == Admin {
			continue
		}
		if err := writeAccount(&b, k, cluster); err != nil {
			return "", err
		}
	}
	b.WriteString("}\nsystem_account: FIREBREAK_SYS\n")
	return b.String(), nil
}

func writeAccount(b *strings.Builder, k Key, cluster string) error {
	r, err := rightsOf(k.User, cluster)
	if err != nil {
		return err
	}
	// The account bounds what the user reaches; the permissions keep users of
	// the same key from speaking to each other in the bus's name.
	fmt.Fprintf(b, "  %q {\n    users: [{nkey: %q, permissions: {\n      publish: {allow: [\n", k.User.token(), k.Public)
	for _, s := range r.calls {
		fmt.Fprintf(b, "        %q\n", local(s))
	}
	b.WriteString("      ]}\n      subscribe: {allow: [\n        \"_INBOX.>\"\n")
	for _, s := range r.hears {
		fmt.Fprintf(b, "        %q\n", s)
	}
	b.WriteString("      ]}\n    }}]\n    imports: [\n")
	for _, s := range r.calls {
		fmt.Fprintf(b, "      {service: {account: %s, subject: %q}", mainAccount, s)
		if l := local(s); l != s {
			fmt.Fprintf(b, ", to: %q", l)
		}
		b.WriteString("}\n")
	}
	for _, s := range r.hears {
		fmt.Fprintf(b, "      {stream: {account: %s, subject: %q}}\n", mainAccount, s)
	}
	b.WriteString("    ]\n  }\n")
	return nil
}
