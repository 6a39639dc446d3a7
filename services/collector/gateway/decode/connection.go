package decode

import (
	"encoding/json"
	"net/netip"
	"strings"

	"firebreak/schemas"
)

// connects tells whether a hook in the kernel is one that sees connections.
func connects(kind string, function any) bool {
	switch kind {
	case "process_connect":
		return true
	case "process_kprobe":
		return function == "tcp_connect" || function == "security_socket_connect"
	case "process_lsm":
		return function == "socket_connect"
	}
	return false
}

// hook is the value of an event of a hook in the kernel.
type hook struct {
	Function string     `json:"function_name"`
	Args     []argument `json:"args"`
	Return   *argument  `json:"return"`
	Action   string     `json:"action"`

	// of process_connect
	SourceIP        string `json:"source_ip"`
	SourcePort      uint32 `json:"source_port"`
	DestinationIP   string `json:"destination_ip"`
	DestinationPort uint32 `json:"destination_port"`
	Protocol        string `json:"protocol"`
}

// argument is one of a hook's arguments, those that speak of sockets.
type argument struct {
	Int  json.Number `json:"int_arg"`
	Sock *struct {
		Protocol string `json:"protocol"`
		Source   string `json:"saddr"`
		Dest     string `json:"daddr"`
		SPort    uint32 `json:"sport"`
		DPort    uint32 `json:"dport"`
	} `json:"sock_arg"`
	Addr *struct {
		Addr string `json:"addr"`
		Port uint32 `json:"port"`
	} `json:"sockaddr_arg"`
	Unix *struct {
		Path string `json:"path"`
	} `json:"sockaddrun_arg"`
}

// connection is what the blocks of runtime.connection.opened are made of.
type connection struct {
	network             schemas.Network
	source, destination *schemas.Endpoint
}

// connect gives the connection that an event tells of, or nil.
func connect(kind string, raw []byte) (*connection, error) {
	var h hook
	if err := read(raw, &h); err != nil {
		return nil, err
	}
	if h.prevented() {
		return nil, nil
	}
	switch {
	case kind == "process_connect":
		return between(h.Protocol, endpoint(h.SourceIP, h.SourcePort), endpoint(h.DestinationIP, h.DestinationPort)), nil
	case h.Function != "tcp_connect":
		return h.toAddress(), nil
	}
	for _, a := range h.Args {
		if s := a.Sock; s != nil {
			return between("tcp", endpoint(s.Source, s.SPort), endpoint(s.Dest, s.DPort)), nil
		}
	}
	return nil, nil
}

// prevented is true when Tetragon stopped the call or saw it fail.
func (h *hook) prevented() bool {
	switch h.Action {
	case "KPROBE_ACTION_OVERRIDE", "KPROBE_ACTION_SIGKILL", "KPROBE_ACTION_NOTIFYENFORCER":
		return true
	}
	const inProgress = "-115" // a connect that does not wait
	return h.Return != nil && strings.HasPrefix(h.Return.Int.String(), "-") && h.Return.Int != inProgress
}

// toAddress reads the address a socket is about to be connected to.
func (h *hook) toAddress() *connection {
	protocol := ""
	for _, a := range h.Args {
		if a.Sock != nil {
			protocol = a.Sock.Protocol
		}
	}
	for _, a := range h.Args {
		switch {
		case a.Unix != nil && a.Unix.Path != "":
			return &connection{
				network:     schemas.Network{Transport: "unix"},
				destination: &schemas.Endpoint{Path: a.Unix.Path},
			}
		case a.Addr != nil:
			return between(protocol, nil, endpoint(a.Addr.Addr, a.Addr.Port))
		}
	}
	return nil
}

// between is nil when it is not known where to.
func between(protocol string, source, destination *schemas.Endpoint) *connection {
	if destination == nil {
		return nil
	}
	c := &connection{source: source, destination: destination}
	switch strings.TrimPrefix(strings.ToLower(protocol), "ipproto_") {
	case "tcp":
		c.network.Transport = "tcp"
	case "udp":
		c.network.Transport = "udp"
	}
	c.network.Type = "ipv6"
	if !strings.Contains(destination.Address, ":") {
		c.network.Type = "ipv4"
	}
	return c
}

// endpoint is nil for what is no address, or the one that stands for none.
func endpoint(address string, port uint32) *schemas.Endpoint {
	addr, err := netip.ParseAddr(address)
	if err != nil || addr.IsUnspecified() || port > 65535 {
		return nil
	}
	return &schemas.Endpoint{Address: addr.Unmap().String(), Port: int(port)}
}
