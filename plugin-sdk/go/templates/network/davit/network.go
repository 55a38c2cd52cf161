package davit

// Setting is a key with its value.
type Setting struct{ Key, Value string }

// NetworkRequest is a network that somebody wants made.
type NetworkRequest interface {
	Name() string
	Internal() bool
	IPv6() bool
	Subnets() []string
	Setting(key string) *string
	Settings() []Setting
}

// Port is one that a container wants reachable from outside.
type Port interface {
	Protocol() string
	Inside() uint16
	Outside() *uint16
	Address() *string
}

// EndpointRequest is a container that is to be connected.
type EndpointRequest interface {
	Container() string
	Aliases() []string
	WantedAddress(v6 bool) *string
	WantedMac() *string
	Published() []Port
	Setting(key string) *string
}

// Link is something that the core makes, names and owns.
type Link interface{ Kind() string }

// Subnet is one of a network.
type Subnet interface {
	Cidr() string
	Gateway() string
	V6() bool
}

// NetworkPlan is what a network is made of.
type NetworkPlan interface {
	Bridge() (Link, error)
	Vlan(parent string, id uint16) (Link, error)
	Vxlan(id uint32, remotes []string) (Link, error)
	// Subnet takes nil for one of the site's pool.
	Subnet(cidr *string, v6 bool) (Subnet, error)
	Masquerade(subnet Subnet) error
	Isolate() error
}

// NetworkView is a network that is there.
type NetworkView interface {
	Links() []Link
	Subnets() []Subnet
}

// EndpointPlan is what an endpoint is made of.
type EndpointPlan interface {
	Veth(master Link) error
	Macvlan(parent, mode string) error
	ShareHost() error
	// Lease takes nil for a free address.
	Lease(subnet Subnet, wanted *string) (address string, err error)
	// Route takes nil for what is on the link.
	Route(dst string, via *string) error
	Sysctl(key, value string) error
	Publish(port Port) (outside uint16, err error)
	RecordName(hostName string) error
	Mtu(bytes uint32) error
}

// NetworkDriver says what networks and endpoints are made of. What each function is called for: wit/network/network.wit.
type NetworkDriver interface {
	PlanNetwork(request NetworkRequest, plan NetworkPlan) error
	PlanEndpoint(request EndpointRequest, network NetworkView, plan EndpointPlan) error
}

// TheNetworkDriver is the plugin.
var TheNetworkDriver NetworkDriver
