//go:build wasip1

// Package export_davit_network_driver is the component's export davit:network/driver, which asks the plugin.
package export_davit_network_driver

import (
	host "example.org/my-plugin/bindings/davit_network_host"
	"example.org/my-plugin/davit"
	"example.org/my-plugin/davit/internal/guest"
)

func PlanNetwork(given *host.NetworkRequest, givenPlan *host.NetworkPlan) guest.Done {
	asked, plan := networkRequest{guest.Lent(given)}, networkPlan{guest.Lent(givenPlan)}
	return guest.Answer(func() error { return davit.TheNetworkDriver.PlanNetwork(asked, plan) })
}

func PlanEndpoint(given *host.EndpointRequest, givenNetwork *host.NetworkView, givenPlan *host.EndpointPlan) guest.Done {
	asked, plan := endpointRequest{guest.Lent(given)}, endpointPlan{guest.Lent(givenPlan)}
	on := networkView{guest.Lent(givenNetwork)}
	return guest.Answer(func() error { return davit.TheNetworkDriver.PlanEndpoint(asked, on, plan) })
}

type networkRequest struct{ raw *host.NetworkRequest }

func (r networkRequest) Name() string               { return r.raw.Name() }
func (r networkRequest) Internal() bool             { return r.raw.Internal() }
func (r networkRequest) IPv6() bool                 { return r.raw.Ipv6() }
func (r networkRequest) Subnets() []string          { return r.raw.Subnets() }
func (r networkRequest) Setting(key string) *string { return guest.Pointer(r.raw.Setting(key)) }
func (r networkRequest) Settings() (all []davit.Setting) {
	for _, pair := range r.raw.Settings() {
		all = append(all, davit.Setting{Key: pair.F0, Value: pair.F1})
	}
	return all
}

type port struct{ raw *host.Port }

func (p port) Protocol() string { return p.raw.Protocol() }
func (p port) Inside() uint16   { return p.raw.Inside() }
func (p port) Outside() *uint16 { return guest.Pointer(p.raw.Outside()) }
func (p port) Address() *string { return guest.Pointer(p.raw.Address()) }

type endpointRequest struct{ raw *host.EndpointRequest }

func (r endpointRequest) Container() string { return r.raw.Container() }
func (r endpointRequest) Aliases() []string { return r.raw.Aliases() }
func (r endpointRequest) WantedAddress(v6 bool) *string {
	return guest.Pointer(r.raw.WantedAddress(v6))
}
func (r endpointRequest) WantedMac() *string         { return guest.Pointer(r.raw.WantedMac()) }
func (r endpointRequest) Setting(key string) *string { return guest.Pointer(r.raw.Setting(key)) }
func (r endpointRequest) Published() (all []davit.Port) {
	for _, raw := range r.raw.Published() {
		all = append(all, port{guest.Lent(raw)})
	}
	return all
}

type link struct{ raw *host.Link }

func (l link) Kind() string { return l.raw.Kind() }

func madeLink(raw *host.Link, err error) (davit.Link, error) {
	if err != nil {
		return nil, err
	}
	return link{raw}, nil
}

type subnet struct{ raw *host.Subnet }

func (s subnet) Cidr() string    { return s.raw.Cidr() }
func (s subnet) Gateway() string { return s.raw.Gateway() }
func (s subnet) V6() bool        { return s.raw.V6() }

type networkPlan struct{ raw *host.NetworkPlan }

func (p networkPlan) Bridge() (davit.Link, error) { return madeLink(guest.TakeLent(p.raw.Bridge())) }
func (p networkPlan) Vlan(parent string, id uint16) (davit.Link, error) {
	return madeLink(guest.TakeLent(p.raw.Vlan(parent, id)))
}
func (p networkPlan) Vxlan(id uint32, remotes []string) (davit.Link, error) {
	return madeLink(guest.TakeLent(p.raw.Vxlan(id, remotes)))
}
func (p networkPlan) Subnet(cidr *string, v6 bool) (davit.Subnet, error) {
	raw, err := guest.TakeLent(p.raw.Subnet(guest.Option(cidr), v6))
	if err != nil {
		return nil, err
	}
	return subnet{raw}, nil
}
func (p networkPlan) Masquerade(of davit.Subnet) error {
	return guest.Check(p.raw.Masquerade(of.(subnet).raw))
}
func (p networkPlan) Isolate() error { return guest.Check(p.raw.Isolate()) }

type networkView struct{ raw *host.NetworkView }

func (v networkView) Links() (all []davit.Link) {
	for _, raw := range v.raw.Links() {
		all = append(all, link{guest.Lent(raw)})
	}
	return all
}
func (v networkView) Subnets() (all []davit.Subnet) {
	for _, raw := range v.raw.Subnets() {
		all = append(all, subnet{guest.Lent(raw)})
	}
	return all
}

type endpointPlan struct{ raw *host.EndpointPlan }

func (p endpointPlan) Veth(master davit.Link) error {
	return guest.Check(p.raw.Veth(master.(link).raw))
}
func (p endpointPlan) Macvlan(parent, mode string) error {
	return guest.Check(p.raw.Macvlan(parent, mode))
}
func (p endpointPlan) ShareHost() error { return guest.Check(p.raw.ShareHost()) }
func (p endpointPlan) Lease(in davit.Subnet, wanted *string) (string, error) {
	return guest.Take(p.raw.Lease(in.(subnet).raw, guest.Option(wanted)))
}
func (p endpointPlan) Route(dst string, via *string) error {
	return guest.Check(p.raw.Route(dst, guest.Option(via)))
}
func (p endpointPlan) Sysctl(key, value string) error { return guest.Check(p.raw.Sysctl(key, value)) }
func (p endpointPlan) Publish(one davit.Port) (uint16, error) {
	return guest.Take(p.raw.Publish(one.(port).raw))
}
func (p endpointPlan) RecordName(hostName string) error {
	return guest.Check(p.raw.RecordName(hostName))
}
func (p endpointPlan) Mtu(bytes uint32) error { return guest.Check(p.raw.Mtu(bytes)) }
