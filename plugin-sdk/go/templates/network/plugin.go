// The default network: a bridge, a veth pair for each container, IPv4 and where asked for IPv6 addresses from the
// site's pool, masqueraded on their way out, ports published on the host, names for the network's other containers.
//
// Settings (of the request, or `[plugins.my-plugin.config]`): `mtu`; `masquerade = "false"`.
package main

import (
	"slices"
	"strings"

	"example.org/my-plugin/davit"
)

// MyPlugin is the driver.
type MyPlugin struct{}

// The request's word, or else the site's.
func setting(request interface{ Setting(key string) *string }, key string) (*string, error) {
	if said := request.Setting(key); said != nil {
		return said, nil
	}
	return davit.Config(key)
}

func masqueraded(request davit.NetworkRequest) (bool, error) {
	if request.Internal() {
		return false, nil
	}
	said, err := setting(request, "masquerade")
	switch {
	case err != nil:
		return false, err
	case said == nil || *said == "true":
		return true, nil
	case *said == "false":
		return false, nil
	default:
		return false, davit.Invalid("masquerade is true or false, not %s", davit.Quoted(*said))
	}
}

func setMtu(request davit.EndpointRequest, plan davit.EndpointPlan) error {
	said, err := setting(request, "mtu")
	if err != nil || said == nil {
		return err
	}
	bytes, ok := davit.Number(*said, 32)
	if !ok {
		return davit.Invalid("mtu is a number, not %s", davit.Quoted(*said))
	}
	return plan.Mtu(uint32(bytes))
}

// The subnets that were asked for, and one of each family that is wanted and was not.
func leaseSubnets(request davit.NetworkRequest, plan davit.NetworkPlan) ([]davit.Subnet, error) {
	var subnets []davit.Subnet
	add := func(cidr *string, v6 bool) error {
		subnet, err := plan.Subnet(cidr, v6)
		subnets = append(subnets, subnet)
		return err
	}
	for _, cidr := range request.Subnets() {
		if err := add(&cidr, strings.Contains(cidr, ":")); err != nil {
			return nil, err
		}
	}
	v4 := func(subnet davit.Subnet) bool { return !subnet.V6() }
	if !slices.ContainsFunc(subnets, v4) {
		if err := add(nil, false); err != nil {
			return nil, err
		}
	}
	if request.IPv6() && !slices.ContainsFunc(subnets, davit.Subnet.V6) {
		if err := add(nil, true); err != nil {
			return nil, err
		}
	}
	return subnets, nil
}

// PlanNetwork makes a bridge with its subnets.
func (MyPlugin) PlanNetwork(request davit.NetworkRequest, plan davit.NetworkPlan) error {
	if _, err := plan.Bridge(); err != nil {
		return err
	}
	subnets, err := leaseSubnets(request, plan)
	if err != nil {
		return err
	}
	masquerade, err := masqueraded(request)
	if err != nil {
		return err
	}
	for _, subnet := range subnets {
		if !masquerade {
			break
		}
		if err := plan.Masquerade(subnet); err != nil {
			return err
		}
	}
	return plan.Isolate()
}

func joinBridge(network davit.NetworkView, plan davit.EndpointPlan) error {
	for _, link := range network.Links() {
		if link.Kind() == "bridge" {
			return plan.Veth(link)
		}
	}
	return davit.Invalid("the network has no bridge")
}

// An address in a subnet. The first of a family has the address that was asked for and the default route; the others get
// a free address.
func joinSubnet(request davit.EndpointRequest, subnet davit.Subnet, first bool, plan davit.EndpointPlan) error {
	var wanted *string
	if first {
		wanted = request.WantedAddress(subnet.V6())
	}
	if _, err := plan.Lease(subnet, wanted); err != nil || !first {
		return err
	}
	everywhere, gateway := "0.0.0.0/0", subnet.Gateway()
	if subnet.V6() {
		everywhere = "::/0"
	}
	return plan.Route(everywhere, &gateway)
}

// PlanEndpoint joins a container to the bridge.
func (MyPlugin) PlanEndpoint(request davit.EndpointRequest, network davit.NetworkView, plan davit.EndpointPlan) error {
	if err := joinBridge(network, plan); err != nil {
		return err
	}
	routed := map[bool]bool{}
	for _, subnet := range network.Subnets() {
		v6 := subnet.V6()
		if err := joinSubnet(request, subnet, !routed[v6], plan); err != nil {
			return err
		}
		routed[v6] = true
	}
	for _, port := range request.Published() {
		if _, err := plan.Publish(port); err != nil {
			return err
		}
	}
	for _, name := range request.Aliases() {
		if err := plan.RecordName(name); err != nil {
			return err
		}
	}
	return setMtu(request, plan)
}

func init() { davit.TheNetworkDriver = MyPlugin{} }

// A plugin is called, never run.
func main() {}
