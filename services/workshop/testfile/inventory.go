package testfile

import "firebreak/schemas"

// Inventory is what the inventory would know during a case.
type Inventory struct {
	Pods       []Pod       `json:"pods,omitempty"`
	Containers []Container `json:"containers,omitempty"`
}

// Pod is a pod of the inventory.
type Pod struct {
	UID            string            `json:"uid"`
	Name           string            `json:"name,omitempty"`
	Namespace      string            `json:"namespace,omitempty"`
	Labels         map[string]string `json:"labels,omitempty"`
	ServiceAccount string            `json:"service_account,omitempty"`
	Host           string            `json:"host,omitempty" jsonschema:"description=The node; node-1 by default"`
	Containers     []string          `json:"containers,omitempty" jsonschema:"description=Ids of its containers"`
}

// Container is a container of the inventory.
type Container struct {
	ID     string                  `json:"id"`
	Name   string                  `json:"name,omitempty"`
	Image  *schemas.ContainerImage `json:"image,omitempty"`
	Labels map[string]string       `json:"labels,omitempty"`
	Pod    string                  `json:"pod,omitempty" jsonschema:"description=UID of its pod"`
	Host   string                  `json:"host,omitempty" jsonschema:"description=The node; node-1 by default"`
}

// Items gives the inventory as collectors keep it. A container that only its
// pod names is there too.
func (i Inventory) Items() []schemas.Item {
	pods := map[string]Pod{}
	owner := map[string]string{}
	var out []schemas.Item
	for _, p := range i.Pods {
		pods[p.UID] = p
		for _, id := range p.Containers {
			owner[id] = p.UID
		}
		out = append(out, item("pod", p.UID, p.Host, schemas.Entities{K8s: p.k8s()}))
	}
	known := map[string]bool{}
	for _, c := range i.Containers {
		known[c.ID] = true
		if c.Pod == "" {
			c.Pod = owner[c.ID]
		}
		out = append(out, c.item(pods))
	}
	for _, p := range i.Pods {
		for _, id := range p.Containers {
			if !known[id] {
				out = append(out, Container{ID: id, Pod: p.UID, Host: p.Host}.item(pods))
			}
		}
	}
	return out
}

func item(kind, id, host string, e schemas.Entities) schemas.Item {
	if host == "" {
		host = "node-1"
	}
	e.Host = &schemas.Host{Name: host}
	return schemas.Item{Kind: kind, ID: id, Owner: schemas.NodePlace(host), AsOf: Start(), Entities: e}
}

func (p Pod) k8s() *schemas.K8s {
	k := &schemas.K8s{Pod: &schemas.Pod{UID: p.UID, Name: p.Name, Labels: p.Labels}}
	if p.Namespace != "" {
		k.Namespace = &schemas.Namespace{Name: p.Namespace}
	}
	if p.ServiceAccount != "" {
		k.ServiceAccount = &schemas.ServiceAccount{Name: p.ServiceAccount}
	}
	return k
}

func (c Container) item(pods map[string]Pod) schemas.Item {
	e := schemas.Entities{Container: &schemas.Container{ID: c.ID, Name: c.Name, Image: c.Image, Labels: c.Labels}}
	host := c.Host
	if p, known := pods[c.Pod]; known {
		e.K8s = p.k8s()
		if host == "" {
			host = p.Host
		}
	}
	return item("container", c.ID, host, e)
}
