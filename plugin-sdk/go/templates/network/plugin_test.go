package main

import (
	"strings"
	"testing"

	"example.org/my-plugin/davit"
	"example.org/my-plugin/davit/davittest"
)

// What is called beside the methods below ends the test.
type networkRequest struct {
	davit.NetworkRequest
	internal, ipv6 bool
	subnets        []string
	masquerade     *string
}

func (r networkRequest) Internal() bool         { return r.internal }
func (r networkRequest) IPv6() bool             { return r.ipv6 }
func (r networkRequest) Subnets() []string      { return r.subnets }
func (r networkRequest) Setting(string) *string { return r.masquerade }

type link string

func (l link) Kind() string { return string(l) }

type subnet string

func (s subnet) Cidr() string    { return string(s) }
func (s subnet) Gateway() string { return "gw-of-" + string(s) }
func (s subnet) V6() bool        { return strings.Contains(string(s), ":") }

type networkPlan struct {
	davit.NetworkPlan
	*davittest.Host
}

func text(text *string) string {
	if text == nil {
		return "any"
	}
	return *text
}

func (p networkPlan) Bridge() (davit.Link, error) { return link("bridge"), p.Record("bridge") }
func (p networkPlan) Subnet(cidr *string, v6 bool) (davit.Subnet, error) {
	made := subnet("10.88.0.0/24")
	if v6 {
		made = "fd88::/64"
	}
	return made, p.Record("subnet", text(cidr), v6)
}
func (p networkPlan) Masquerade(s davit.Subnet) error { return p.Record("masquerade", s.Cidr()) }
func (p networkPlan) Isolate() error                  { return p.Record("isolate") }

type port struct {
	davit.Port
	number uint16
}

type endpointRequest struct {
	davit.EndpointRequest
	v4, mtu *string
	aliases []string
	ports   []davit.Port
}

func (r endpointRequest) Aliases() []string       { return r.aliases }
func (r endpointRequest) Published() []davit.Port { return r.ports }
func (r endpointRequest) Setting(string) *string  { return r.mtu }
func (r endpointRequest) WantedAddress(v6 bool) *string {
	if v6 {
		return nil
	}
	return r.v4
}

type view struct {
	links   []davit.Link
	subnets []davit.Subnet
}

func (v view) Links() []davit.Link     { return v.links }
func (v view) Subnets() []davit.Subnet { return v.subnets }

type endpointPlan struct {
	davit.EndpointPlan
	*davittest.Host
}

func (p endpointPlan) Veth(master davit.Link) error { return p.Record("veth", master.Kind()) }
func (p endpointPlan) Lease(in davit.Subnet, wanted *string) (string, error) {
	return "an address", p.Record("lease", in.Cidr(), text(wanted))
}
func (p endpointPlan) Route(dst string, via *string) error { return p.Record("route", dst, text(via)) }
func (p endpointPlan) Publish(one davit.Port) (uint16, error) {
	return 1, p.Record("publish", one.(port).number)
}
func (p endpointPlan) RecordName(name string) error { return p.Record("name", name) }
func (p endpointPlan) Mtu(bytes uint32) error       { return p.Record("mtu", bytes) }

func TestANetworkHasASubnetOfEachFamilyThatIsWanted(t *testing.T) {
	for _, one := range []struct {
		request networkRequest
		lines   []string
	}{
		{networkRequest{}, []string{"bridge", "subnet any false", "masquerade 10.88.0.0/24", "isolate"}},
		{networkRequest{ipv6: true}, []string{"bridge", "subnet any false", "subnet any true", "masquerade 10.88.0.0/24", "masquerade fd88::/64", "isolate"}},
		{networkRequest{internal: true, ipv6: true, subnets: []string{"10.1.0.0/24", "fd01::/64"}}, []string{"bridge", "subnet 10.1.0.0/24 false", "subnet fd01::/64 true", "isolate"}},
	} {
		host := davittest.New(t, nil)
		host.Recorded(t, MyPlugin{}.PlanNetwork(one.request, networkPlan{Host: host}), one.lines...)
	}
}

func TestMasqueradingIsTheRequestsWordOrTheSites(t *testing.T) {
	host := davittest.New(t, map[string]string{"masquerade": "false"})
	host.Recorded(t, MyPlugin{}.PlanNetwork(networkRequest{}, networkPlan{Host: host}), "bridge", "subnet any false", "isolate")
	host.Lines = nil
	yes := networkRequest{masquerade: davittest.Text("true")}
	host.Recorded(t, MyPlugin{}.PlanNetwork(yes, networkPlan{Host: host}), "bridge", "subnet any false", "masquerade 10.88.0.0/24", "isolate")
	err := MyPlugin{}.PlanNetwork(networkRequest{masquerade: davittest.Text("a \"b\"")}, networkPlan{Host: host})
	davittest.Failed(t, err, davit.KindInvalid, `masquerade is true or false, not "a \"b\""`)
}

func TestAnEndpointHasAnAddressOfEachSubnetAndARouteOfEachFamily(t *testing.T) {
	on := view{[]davit.Link{link("vlan"), link("bridge")}, []davit.Subnet{subnet("10.1.0.0/24"), subnet("10.2.0.0/24"), subnet("fd01::/64")}}
	host := davittest.New(t, nil)
	err := MyPlugin{}.PlanEndpoint(endpointRequest{v4: davittest.Text("10.1.0.9")}, on, endpointPlan{Host: host})
	host.Recorded(t, err, "veth bridge", "lease 10.1.0.0/24 10.1.0.9", "route 0.0.0.0/0 gw-of-10.1.0.0/24", "lease 10.2.0.0/24 any",
		"lease fd01::/64 any", "route ::/0 gw-of-fd01::/64")
	err = MyPlugin{}.PlanEndpoint(endpointRequest{}, view{}, endpointPlan{Host: host})
	davittest.Failed(t, err, davit.KindInvalid, "the network has no bridge")
}

func TestPortsNamesAndMtuAreWhatWasAskedFor(t *testing.T) {
	on := view{links: []davit.Link{link("bridge")}}
	host := davittest.New(t, map[string]string{"mtu": "4294967296"})
	asked := endpointRequest{mtu: davittest.Text("1400"), aliases: []string{"web"}, ports: []davit.Port{port{number: 80}, port{number: 443}}}
	host.Recorded(t, MyPlugin{}.PlanEndpoint(asked, on, endpointPlan{Host: host}), "veth bridge", "publish 80", "publish 443", "name web", "mtu 1400")
	err := MyPlugin{}.PlanEndpoint(endpointRequest{}, on, endpointPlan{Host: host})
	davittest.Failed(t, err, davit.KindInvalid, `mtu is a number, not "4294967296"`)
	host.Refuse = "publish"
	davittest.Failed(t, MyPlugin{}.PlanEndpoint(asked, on, endpointPlan{Host: host}), davit.KindConflict, "the host refuses publish")
}
